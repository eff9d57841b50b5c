package mcpbridge

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// introduce names the caller to go-sdk. The key of its context value is its
// own, and only this middleware sets it; the token was verified before.
func introduce(handler http.Handler) http.Handler {
	known := func(ctx context.Context, _ string, _ *http.Request) (*auth.TokenInfo, error) {
		info, ok := token.FromContext(ctx)
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
// holds the claims that the verifier kept, and iss, sub, aud and client_id. It
// takes info over.
func tokenInfo(info *token.Info) *auth.TokenInfo {
	extra := info.Claims
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
func userID(info *token.Info) string {
	return fmt.Sprintf("%s %q %s", info.Issuer, info.ClientID, info.Subject)
}
