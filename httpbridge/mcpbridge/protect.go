package mcpbridge

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// Protect wraps the handler of an MCP endpoint, that of
// mcp.NewStreamableHTTPHandler. Every request is authorised by the rule of the
// service, whatever session it names. A session belongs to the issuer, the
// subject and the client of the token that opened it; go-sdk answers 403 to
// anybody else.
//
// Tool handlers find the caller in req.Extra.TokenInfo, as with the middleware
// of go-sdk, and with [interceptor.TokenInfoFromContext].
func (g *Guard) Protect(handler http.Handler) http.Handler {
	introduced := introduce(handler)
	return g.bridge.Protect(g.service, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, end := g.calls.begin(r)
		defer end()
		// A server with an event store begins to write before it hands the
		// message on; its status waits until the middleware has decided.
		if r.Method == http.MethodPost {
			recorder.FromContext(r.Context()).Hold()
		}
		if _, ok := interceptor.TokenInfoFromContext(r.Context()); ok {
			introduced.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r) // The rule is public, and there is nobody to introduce.
	}))
}

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
	return auth.RequireBearerToken(known, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(handler)
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
