package mcpbridge

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// Handler returns the endpoint of an MCP server: that of
// mcp.NewStreamableHTTPHandler with the given options, which may be nil, behind
// the guard. It adds the guard's middleware to the server, so call it once for
// each server, after other receiving middleware was added: what is added later
// runs before anything is decided.
//
// Every request is authorised by the rule of the service, whatever session it
// names. A session belongs to the issuer, the subject and the client of the token
// that opened it; go-sdk answers 403 to anybody else. A request ends when its
// token expires, a stream that listens too.
//
// Tool handlers find the caller in req.Extra.TokenInfo, as with the middleware
// of go-sdk, and with [interceptor.TokenInfoFromContext].
func (g *Guard) Handler(server *mcp.Server, options *mcp.StreamableHTTPOptions) http.Handler {
	server.AddReceivingMiddleware(g.Middleware())
	return g.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, options))
}

// Protect is one half of [Guard.Handler], for endpoints that choose among
// servers: it wraps the handler of mcp.NewStreamableHTTPHandler. Each of the
// servers needs the other half, [Guard.Middleware], for without it nothing
// decides about its tools. As long as that was never asked for, every request is
// answered with 500.
func (g *Guard) Protect(handler http.Handler) http.Handler {
	introduced := introduce(handler)
	return g.bridge.Protect(g.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.middle.Load() {
			http.Error(w, "the guard has no middleware in the MCP server", http.StatusInternalServerError)
			return
		}
		info, known := interceptor.TokenInfoFromContext(r.Context())
		if !known && r.Method != http.MethodPost {
			// The rule is public, so sessions have no owner to whom go-sdk would
			// keep their streams.
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
		recorder.FromContext(r.Context()).Hold(isPriming)
		if known {
			introduced.ServeHTTP(w, r)
		} else {
			handler.ServeHTTP(w, r)
		}
	}))
}

// isPriming knows the event that a server with an event store writes before it
// hands the message on. The status of the answer has to wait until the
// middleware has decided.
func isPriming(first []byte) bool { return bytes.HasPrefix(first, []byte("event: prime\n")) }

// introduce tells go-sdk who the caller is. The key of its context value is its
// own, and only this middleware sets it; the token was verified before.
func introduce(handler http.Handler) http.Handler {
	known := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		info, ok := interceptor.TokenInfoFromContext(ctx)
		if !ok {
			return nil, auth.ErrInvalidToken
		}
		return tokenInfo(info), nil
	}
	return auth.RequireBearerToken(known, &auth.RequireBearerTokenOptions{
		// The verifier has judged the time, with a leeway of its own.
		AllowMissingExpiration: true,
		ClockSkew:              math.MaxInt64,
	})(handler)
}

// tokenInfo returns the facts of a token as users of go-sdk expect them. Extra
// holds the claims that the verifier kept, and iss, sub, aud and client_id.
func tokenInfo(info *interceptor.TokenInfo) *auth.TokenInfo {
	extra := maps.Clone(info.Claims)
	if extra == nil {
		extra = make(map[string]any, 4)
	}
	extra["iss"] = info.Issuer
	extra["sub"] = info.Subject
	extra["aud"] = info.Audience
	extra["client_id"] = info.ClientID
	return &auth.TokenInfo{
		Scopes:     info.Scopes,
		Expiration: info.Expiry,
		UserID:     userID(info),
		Extra:      extra,
	}
}

// userID identifies the owner of a session. An issuer is a URL and holds no
// space, and the client is quoted, so no two owners share an id.
func userID(info *interceptor.TokenInfo) string {
	return fmt.Sprintf("%s %q %s", info.Issuer, info.ClientID, info.Subject)
}
