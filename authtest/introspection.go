package authtest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// inactive is the document about every token that cannot be used (RFC 7662 §2.2).
const inactive = `{"active":false}`

// An opaqueToken is what the issuer knows about an opaque token.
type opaqueToken struct {
	document []byte
	isFixed  bool // the test sets the member active, so time does not change it
	isInfo   bool // only the tokeninfo endpoint knows it
}

// Introspection returns the document that the introspection endpoint answers about
// a token at present (RFC 7662 §2.2).
//
// For an opaque token, it holds the claims with which the token was minted, and
// the member active, which is true unless [Token.Claims] has another value. For a
// JWT, it holds the claims and active. It is {"active":false} alone if the token is
// unknown, revoked, expired or not yet valid; a JWT is unknown if its signature is
// not one of a published key. An opaque token that was minted with a claim active is
// answered unchanged until it is revoked, even if it has expired.
func (i *Issuer) Introspection(raw string) []byte {
	i.mu.Lock()
	_, isRevoked := i.revoked.get(raw)
	known, isOpaque := i.opaque.get(raw)
	i.mu.Unlock()
	switch {
	case isRevoked || known.isInfo:
		return []byte(inactive)
	case isOpaque && known.isFixed:
		return append([]byte{}, known.document...)
	case isOpaque:
		return i.judge(known.document)
	default:
		return i.judge(i.verify(raw))
	}
}

// Revoke makes the introspection endpoint answer {"active":false} about a token,
// be it opaque or a JWT, and the tokeninfo endpoint refuse it. The issuer remembers the last 65,536 revoked tokens.
func (i *Issuer) Revoke(raw string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked.put(raw, struct{}{})
}

func (i *Issuer) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	refused := readForm(w, r, "")
	if refused == nil {
		_, refused = i.authenticate(r)
	}
	if refused == nil && !r.PostForm.Has("token") {
		refused = badRequest("invalid_request", "there is no token")
	}
	if refused != nil {
		i.refuse(w, refused)
		return
	}
	writeJSON(w, i.Introspection(r.PostForm.Get("token")))
}

// mintOpaque returns a new opaque token with the given claims. The issuer does not
// know it if it is forged.
func (i *Issuer) mintOpaque(t Token, claims map[string]any) string {
	_, isFixed := t.Claims["active"]
	isInfo := t.Shape == ShapeGoogle
	if !isFixed && !isInfo {
		claims["active"] = true
	}
	raw, document := rand.Text(), i.marshal(claims)
	if !t.Forged {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.opaque.put(raw, opaqueToken{document, isFixed, isInfo})
	}
	return raw
}

// verify returns the claims of a JWT that a published key of the issuer has signed,
// and nil if there is none.
func (i *Issuer) verify(raw string) []byte {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA})
	if err != nil {
		return nil
	}
	for _, k := range i.published() {
		if claims, err := signed.Verify(k.signer.Public()); err == nil {
			return claims
		}
	}
	return nil
}

// judge returns the document about a token with the given claims.
func (i *Issuer) judge(claims []byte) []byte {
	var document map[string]any
	if err := json.Unmarshal(claims, &document); err != nil || document == nil {
		return []byte(inactive)
	}
	now := float64(time.Now().Unix())
	if exp, ok := document["exp"].(float64); ok && exp <= now {
		return []byte(inactive)
	}
	if nbf, ok := document["nbf"].(float64); ok && nbf > now {
		return []byte(inactive)
	}
	document["active"] = true
	return i.marshal(document)
}
