package mcpbridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

const methodCallTool = "tools/call"

// middleware decides about each tool call by the rule of the tool's procedure,
// before anything of the tool runs. It denies a call that did not come in through
// [Guard.Handler].
//
// The context of the next handler carries the caller of the HTTP request that the
// message came with, also in a session. Where that request is over, as it may be
// for a notification, it carries none.
func (g *Guard) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		current := g.current(req)
		ctx = g.contextOf(ctx, current)
		if method == methodCallTool {
			authorized, err := g.authorize(ctx, current, req)
			if err != nil {
				return nil, err
			}
			ctx = authorized
		}
		if current != nil {
			// Only now: the response to a denied call goes out with the write of
			// its error, when go-sdk has freed the id that a client which steps
			// up sends again.
			current.exchange.Release()
		}
		return next(ctx, method, req)
	}
}

// contextOf replaces what ctx carries, which in a session belongs to the request
// that opened it.
func (g *Guard) contextOf(ctx context.Context, current *call) context.Context {
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

// authorize decides about a tool call. Its error is what the client reads if the
// HTTP header was sent; else the recorded denial becomes the response.
func (g *Guard) authorize(ctx context.Context, current *call, req mcp.Request) (context.Context, error) {
	params, ok := req.GetParams().(*mcp.CallToolParamsRaw)
	if !ok || params == nil {
		return nil, rpcError(jsonrpc.CodeInvalidParams, "malformed tools/call")
	}
	if current == nil {
		return nil, rpcError(jsonrpc.CodeInvalidRequest, "this call did not come in through the guard")
	}
	procedure, ok := g.tools[params.Name]
	if !ok {
		// As for a tool that does not exist. An HTTP 404 would mean to the client
		// that its session is over.
		_ = g.adapter.Refuse(current.ctx, &drawbridge.Request{Service: g.service}, challenge.ReasonNotFound,
			fmt.Errorf("no entry for the tool %q", params.Name))
		return nil, rpcError(jsonrpc.CodeInvalidParams, errUnknownTool.Error())
	}
	authorized, err := current.settle(func() (context.Context, *challenge.DenialError) {
		return g.decide(ctx, current, req, procedure)
	})
	switch {
	case errors.Is(err, errUnknownTool):
		return nil, rpcError(jsonrpc.CodeInvalidParams, err.Error())
	case err != nil:
		return nil, rpcError(jsonrpc.CodeInvalidRequest, err.Error())
	default:
		return authorized, nil
	}
}

// decide applies the rule of the procedure. The token was verified when the
// request came in, unless the rule of the service is public. What a backend of
// the tool denies asks for the scopes of the tool as well.
func (g *Guard) decide(ctx context.Context, current *call, req mcp.Request, procedure string) (context.Context, *challenge.DenialError) {
	caller := g.adapter.Caller(current.ctx)
	if caller.IsAnonymous() {
		request := current.request
		request.Procedure = procedure
		authorized, denial := g.adapter.Authorize(current.ctx, &request)
		if denial != nil {
			return nil, denial
		}
		caller = g.adapter.Caller(authorized)
		if info := caller.Info(); info != nil {
			req.GetExtra().TokenInfo = tokenInfo(info)
		}
		ctx = caller.NewContext(ctx)
	} else if denial := denialOf(caller.Check(current.ctx, procedure)); denial != nil {
		return nil, denial
	}
	return exchange.NewContext(ctx, &exchange.Exchange{
		Denials: current.exchange.Denials.Within(func(scopes []string) []string { return caller.JoinScopes(scopes, procedure) }),
		Native:  new(exchange.Native),
	}), nil
}

// denialOf returns the denial that Check returned, or nil.
func denialOf(err error) *challenge.DenialError {
	denial, _ := errors.AsType[*challenge.DenialError](err)
	return denial
}

func rpcError(code int64, message string) error {
	return &jsonrpc.Error{Code: code, Message: message}
}
