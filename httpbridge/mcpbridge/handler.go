package mcpbridge

import (
	"bytes"
	"context"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// Handler returns the endpoint of an MCP server: that of
// mcp.NewStreamableHTTPHandler with the given arguments, behind the guard. The
// options may be nil.
//
// Every server that getServer returns is given the receiving middleware of the
// guard, once, when it is first returned; until then it is not guarded where it is
// served in another way. The middleware runs before all other middleware that was
// added by then. A server can have one guard: with a second one, the response to its
// requests is 500, and the fault is logged.
//
// Every request is authorized by the rule of the service, whatever session it
// names. A session belongs to the issuer, the subject and the client of the token
// that opened it; go-sdk answers 403 to others. A request ends when its token
// expires, a stream that listens too.
//
// Tool handlers find the caller in req.Extra.TokenInfo, as with the middleware
// of go-sdk, and with token.FromContext.
func (g *Guard) Handler(getServer func(*http.Request) *mcp.Server, options *mcp.StreamableHTTPOptions) http.Handler {
	anonymous := mcp.NewStreamableHTTPHandler(g.guarded(getServer), options)
	introduced := introduce(anonymous)
	return g.bridge.Protect(g.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, known := token.FromContext(r.Context())
		if !known && r.Method != http.MethodPost {
			// The rule is public, so a session has no owner for whom go-sdk would
			// keep its streams.
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		if known && !info.Expiry.IsZero() {
			ctx, cancel := context.WithDeadline(r.Context(), info.Expiry)
			defer cancel()
			r = r.WithContext(ctx)
		}
		r, end := g.calls.begin(r)
		defer end()
		exchange.FromContext(r.Context()).Hold(isPriming)
		if known {
			introduced.ServeHTTP(w, r)
		} else {
			anonymous.ServeHTTP(w, r)
		}
	}))
}

// guarded returns getServer with the middleware in every server. A server that
// cannot be guarded is not returned, and the request is denied.
func (g *Guard) guarded(getServer func(*http.Request) *mcp.Server) func(*http.Request) *mcp.Server {
	return func(r *http.Request) *mcp.Server {
		server := getServer(r)
		if server == nil {
			return nil
		}
		if err := adopt(server, g); err != nil {
			if current := g.calls.of(r.Header); current != nil {
				current.fail(func() *challenge.DenialError {
					return g.adapter.Refuse(current.ctx, &drawbridge.Request{Service: g.service}, challenge.ReasonInternal, err)
				})
			}
			return nil
		}
		return server
	}
}

// isPriming recognizes the event that a server with an event store writes before
// it hands the message on. The status of the response has to wait until the
// middleware has decided.
func isPriming(first []byte) bool { return bytes.HasPrefix(first, []byte("event: prime\n")) }
