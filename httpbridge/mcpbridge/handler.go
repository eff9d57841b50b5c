package mcpbridge

import (
	"bytes"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// sessionTimeout is the time after which an idle session ends, unless the options
// name another. Clients that lose a session have to begin anew, and not all do; it
// is for those that never come back.
const sessionTimeout = 24 * time.Hour

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
// that opened it; go-sdk answers 403 to others. Callers without an owner, who sent
// no token or one that names neither a subject nor a client, get no session: their
// requests are served as with the option Stateless, which leaves nothing behind. A
// session ends after 24 hours without requests; the option SessionTimeout names
// another time, and a negative one keeps every session. A stream that listens ends when
// its token expires, and within a second of its revocation, where the verifier can tell of
// one; a message that was let in is served to its end.
//
// The localhost protection of go-sdk is off, because it refuses proxies on the same
// host. [httpbridge.Bridge.Protect] refuses the requests that it is meant for.
//
// Handlers of the server find the caller in req.Extra.TokenInfo and with
// auth.TokenInfoFromContext, as with the middleware of go-sdk, and with
// token.FromContext. A handler may return the error of Authorizer.Check, or any
// other with a denial in it: while nothing was written, that is the response.
func (g *Guard) Handler(getServer func(*http.Request) *mcp.Server, options *mcp.StreamableHTTPOptions) http.Handler {
	var opts mcp.StreamableHTTPOptions
	if options != nil {
		opts = *options
	}
	opts.DisableLocalhostProtection = true
	if opts.SessionTimeout == 0 {
		opts.SessionTimeout = sessionTimeout
	}
	owned := mcp.NewStreamableHTTPHandler(g.guarded(getServer), &opts)
	if !opts.Stateless {
		// What is stored is found by the id of a session.
		opts.Stateless, opts.EventStore = true, nil
	}
	ownerless := mcp.NewStreamableHTTPHandler(g.guarded(getServer), &opts)
	return g.bridge.Protect(g.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler := ownerless
		if info, ok := token.FromContext(r.Context()); ok {
			ctx := r.Context()
			if r.Method == http.MethodGet {
				until, cancel := untilEnd(ctx, g.adapter.Caller(ctx))
				defer cancel()
				ctx = until
			}
			caller := tokenInfo(info)
			if caller.UserID != "" {
				handler = owned
			}
			r = r.WithContext(withTokenInfo(ctx, caller))
		}
		r, end := g.calls.begin(r)
		defer end()
		exchange.FromContext(r.Context()).Hold(isPriming)
		handler.ServeHTTP(w, r)
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
				current.fail(func() *challenge.DenialError { return g.refuse(current.ctx, challenge.ReasonInternal, err) })
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
