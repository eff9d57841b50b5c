package mcpbridge

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

const methodCallTool = "tools/call"

// Middleware is the half of [Guard.Handler] that the MCP server runs, to be added
// with AddReceivingMiddleware after all others. It decides about each tool call
// by the rule of the tool's procedure, before anything of the tool runs, and
// denies every call that did not come in through [Guard.Protect].
//
// The context of what it lets through carries the caller of the HTTP request
// that the message came with, also in a session. Where that request is over, as
// it may be for a notification, it carries nobody.
func (g *Guard) Middleware() mcp.Middleware {
	g.middle.Store(true)
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			current := g.current(req)
			if current != nil {
				ctx = recorder.NewContext(interceptor.WithCallerOf(ctx, current.ctx), current.recorder)
			} else {
				// What ctx carries is another request's, that opened the session.
				ctx = recorder.NewContext(interceptor.WithCallerOf(ctx, context.Background()), nil)
			}
			if method == methodCallTool {
				authorized, err := g.authorize(ctx, current, req)
				if err != nil {
					return nil, err
				}
				ctx = authorized
			}
			if current != nil {
				// Only now: the answer to a denied call goes out with the write of
				// its error, when go-sdk has freed the id that a client which steps
				// up sends again.
				current.recorder.Release()
			}
			return next(ctx, method, req)
		}
	}
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
// HTTP header is gone; else the recorded denial becomes the answer.
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
		// As for a tool that does not exist. An HTTP 404 would tell the client
		// that its session is over.
		_ = g.bridge.Authorizer().Refuse(current.ctx, interceptor.Request{Service: g.service}, interceptor.KindNotFound,
			fmt.Errorf("no entry for the tool %q", params.Name))
		return nil, rpcError(jsonrpc.CodeInvalidParams, "unknown tool")
	}
	authorized, err := current.settle(func() (context.Context, error) {
		return g.decide(ctx, current, req, procedure)
	})
	if err != nil {
		return nil, rpcError(jsonrpc.CodeInvalidRequest, err.Error())
	}
	current.recorder.Pass(procedure)
	return authorized, nil
}

// decide asks the rule of the procedure. The token was verified at the door,
// unless the door is public.
func (g *Guard) decide(ctx context.Context, current *call, req mcp.Request, procedure string) (context.Context, error) {
	authorizer := g.bridge.Authorizer()
	if _, known := interceptor.TokenInfoFromContext(current.ctx); known {
		return ctx, authorizer.Check(current.ctx, procedure)
	}
	request := current.request
	request.Procedure = procedure
	authorized, err := authorizer.AuthorizeContext(current.ctx, request)
	if err != nil {
		return nil, err
	}
	if info, ok := interceptor.TokenInfoFromContext(authorized); ok {
		req.GetExtra().TokenInfo = tokenInfo(info)
	}
	return interceptor.WithCallerOf(ctx, authorized), nil
}

func rpcError(code int64, message string) error {
	return &jsonrpc.Error{Code: code, Message: message}
}
