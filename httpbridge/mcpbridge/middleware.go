package mcpbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// middleware decides about each message by the rules of its operation, before
// anything of the server runs. It denies an operation that did not come in
// through [Guard.Handler].
//
// The context of the next handler carries the caller of the HTTP request that the
// message came with, also in a session. Where that request is over, as it may be
// for a notification, it carries none.
func (g *Guard) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		current := g.current(req)
		ctx = g.contextOf(ctx, current, req)
		if kind := kindOf(method); kind != byService && kind != byList {
			authorized, err := g.authorize(ctx, current, next, method, req)
			if err != nil {
				return nil, err
			}
			ctx = authorized
		}
		if kindOf(method) == byListening {
			until, cancel := untilEnd(ctx, g.adapter.Caller(ctx))
			defer cancel()
			ctx = until
		}
		if current != nil {
			// Only now: the response to a denied call goes out with the write of
			// its error, when go-sdk has freed the id that a client which steps
			// up sends again.
			current.exchange.Release()
		}
		result, err := next(ctx, method, req)
		denial := denialIn(result, err)
		if err == nil {
			if result, denial = g.shown(ctx, result, denial); denial != nil && kindOf(method) == byList {
				err = rpcError(jsonrpc.CodeInvalidRequest, denial.Error())
			}
		}
		if current != nil {
			current.conclude(ctx, denial)
		}
		if err != nil {
			return nil, err
		}
		return result, nil
	}
}

// denialIn returns the denial that the server returned, as a handler does with the
// error of Check, or nil.
func denialIn(result mcp.Result, err error) *challenge.DenialError {
	if called, ok := result.(*mcp.CallToolResult); err == nil && ok && called != nil {
		err = called.GetError() // of a ToolHandlerFor
	}
	return denialOf(err)
}

// contextOf replaces what ctx carries, which in a session belongs to the request
// that opened it.
func (g *Guard) contextOf(ctx context.Context, current *call, req mcp.Request) context.Context {
	var info *auth.TokenInfo
	if extra := req.GetExtra(); extra != nil {
		info = extra.TokenInfo
	}
	ctx = withTokenInfo(ctx, info)
	if current == nil {
		return exchange.NewContext((*drawbridge.Caller)(nil).NewContext(ctx), nil)
	}
	return exchange.NewContext(g.adapter.Caller(current.ctx).NewContext(ctx), current.exchange)
}

// current returns the HTTP request that a message came with, or nil.
func (g *Guard) current(req mcp.Request) *call {
	extra := req.GetExtra()
	if extra == nil || extra.Header == nil {
		return nil
	}
	return g.calls.of(extra.Header)
}

var (
	errNotGuarded = errors.New("a message reached the MCP server around Guard.Handler, so its caller is unknown; serve the server through the guard alone")
	errInternal   = rpcError(jsonrpc.CodeInternalError, "internal error")
)

// authorize decides about an operation. Its error is what the client reads if the
// HTTP header was sent; else the recorded denial becomes the response.
func (g *Guard) authorize(ctx context.Context, current *call, next mcp.MethodHandler, method string, req mcp.Request) (context.Context, error) {
	if current == nil {
		if extra := req.GetExtra(); extra == nil || extra.Header.Get(callHeader) == "" {
			_ = g.refuse(ctx, challenge.ReasonInternal, errNotGuarded)
		}
		return nil, rpcError(jsonrpc.CodeInvalidRequest, "this call did not come in through the guard")
	}
	op, err := g.operation(ctx, next, method, req)
	if err != nil && !errors.Is(err, errMalformed) {
		_ = g.refuse(current.ctx, challenge.ReasonInternal, err)
		err = errInternal
	}
	if err != nil || op == nil {
		return ctx, err
	}
	if len(op.procedures) == 0 {
		// As for what does not exist. An HTTP 404 would mean to the client that its
		// session is over.
		_ = g.refuse(current.ctx, challenge.ReasonNotFound, fmt.Errorf("no entry for the %s", op.name))
		return nil, op.unknown
	}
	authorized, err := current.settle(func() (context.Context, *challenge.DenialError) {
		return g.decide(ctx, current, req, op.procedures)
	})
	switch {
	case errors.Is(err, errUnknown):
		return nil, op.unknown
	case err != nil:
		return nil, rpcError(jsonrpc.CodeInvalidRequest, err.Error())
	default:
		return authorized, nil
	}
}

func (g *Guard) refuse(ctx context.Context, reason challenge.Reason, cause error) *challenge.DenialError {
	return g.adapter.Refuse(ctx, &drawbridge.Request{Service: g.service}, reason, cause)
}

// decide applies the rules of the procedures. The token was verified when the
// request came in, unless the rule of the service is public. What a backend
// denies asks for the scopes of the procedures as well.
func (g *Guard) decide(ctx context.Context, current *call, req mcp.Request, procedures []string) (context.Context, *challenge.DenialError) {
	caller := g.adapter.Caller(current.ctx)
	join := func(scopes []string) []string {
		for _, procedure := range procedures {
			scopes = caller.JoinScopes(scopes, procedure)
		}
		return scopes
	}
	for _, procedure := range procedures {
		var denial *challenge.DenialError
		if caller.IsAnonymous() {
			caller, denial = g.identify(current, caller, procedure)
		} else {
			denial = denialOf(caller.Check(current.ctx, procedure))
		}
		if denial != nil {
			return nil, asking(denial, join)
		}
	}
	ctx = caller.NewContext(ctx)
	if info := caller.Info(); info != nil && g.adapter.Caller(current.ctx).IsAnonymous() {
		req.GetExtra().TokenInfo = tokenInfo(info)
		ctx = withTokenInfo(ctx, req.GetExtra().TokenInfo)
	}
	return exchange.NewContext(ctx, &exchange.Exchange{
		Denials: current.exchange.Denials.Within(join),
		Native:  new(exchange.Native),
	}), nil
}

// identify decides about a request that the rule of the service let in without a
// token.
func (g *Guard) identify(current *call, anonymous *drawbridge.Caller, procedure string) (*drawbridge.Caller, *challenge.DenialError) {
	request := current.request
	request.Procedure = procedure
	authorized, denial := g.adapter.Authorize(current.ctx, &request)
	if denial != nil {
		return anonymous, denial
	}
	return g.adapter.Caller(authorized), nil
}

// asking returns a denial that asks for all scopes of an operation at once.
func asking(denial *challenge.DenialError, join func([]string) []string) *challenge.DenialError {
	if !denial.Reason.Challenges() {
		return denial
	}
	scopes := join(denial.Challenge.Scopes)
	if len(scopes) == len(denial.Challenge.Scopes) {
		return denial
	}
	joined := *denial
	joined.Challenge.Scopes = scopes
	return &joined
}

// denialOf returns the denial in err, or nil.
func denialOf(err error) *challenge.DenialError {
	denial, _ := errors.AsType[*challenge.DenialError](err)
	return denial
}
