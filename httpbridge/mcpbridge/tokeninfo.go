package mcpbridge

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// tokenInfoKey is the context key of auth.TokenInfoFromContext. go-sdk keeps it to
// itself, and in a session the value is that of the request which opened it.
var tokenInfoKey = func() (key any) {
	auth.TokenInfoFromContext(keyReader{context.Background(), &key})
	return key
}()

// keyReader notes the key that it is asked for.
type keyReader struct {
	context.Context //nolint:containedctx // It is a context.

	key *any
}

func (r keyReader) Value(key any) any {
	*r.key = key
	return nil
}

// withTokenInfo returns a context from which auth.TokenInfoFromContext reads info,
// which may be nil.
func withTokenInfo(ctx context.Context, info *auth.TokenInfo) context.Context {
	return context.WithValue(ctx, tokenInfoKey, info)
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

// userID identifies the owner of a session, or is empty if the token names neither
// a subject nor a client. An issuer is a URL and holds no space, and the client is
// quoted, so no two owners share an id.
func userID(info *token.Info) string {
	if info.Subject == "" && info.ClientID == "" {
		return ""
	}
	return fmt.Sprintf("%s %q %s", info.Issuer, info.ClientID, info.Subject)
}
