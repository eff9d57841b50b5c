package verifier

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// TestCheckSignature has what parseToken and checkHeader refuse before: the check
// of the signature does not rely on them.
func TestCheckSignature(t *testing.T) {
	issuer := authtest.NewIssuer(t, "ES256", "EdDSA")
	v, err := NewJWT(JWTConfig{Issuer: issuer.URL, Algorithms: []string{"ES256"}})
	if err != nil {
		t.Fatal(err)
	}
	mint := func(token authtest.Token) string {
		token.Audience = []string{"https://api.example.com"}
		return issuer.Mint(token)
	}
	good := mint(authtest.Token{})
	root := mint(authtest.Token{Subject: "root"})
	segments := strings.Split(good, ".")
	signature := fmt.Sprintf(`"protected":%q,"signature":%q`, segments[0], segments[2])
	for _, row := range []struct {
		name, signed, read string // read is the token that the claims are from
		reason             string // empty for a good token
	}{
		{"R7515-7.1 good", good, good, ""},
		{"R7515-7.1 two signatures", fmt.Sprintf(`{"payload":%q,"signatures":[{%s},{%s}]}`, segments[1], signature, signature), good, "multiple signatures"},
		{"R7515-7.1 no signature", segments[0] + "." + segments[1], good, "parsing"},
		{"R7515-7.1 empty signature", segments[0] + "." + segments[1] + ".", good, "signature is wrong"},
		{"R8725-3.1 algorithm off the list", mint(authtest.Token{Algorithm: "EdDSA"}), good, "algorithm"},
		{"R8725-3.1 HS256 with the public key", mint(authtest.Token{Algorithm: "HS256"}), good, "algorithm"},
		{"R8725-3.2 none", mint(authtest.Token{Algorithm: "none"}), good, "algorithm"},
		{"R9068-4.c the claims of another token", good, root, "Payload"},
	} {
		t.Run(row.name, func(t *testing.T) {
			token, err := parseToken(row.read)
			if err != nil {
				t.Fatal(err)
			}
			token.raw = row.signed
			_, err = v.checkSignature(t.Context(), token, arrival{now: v.now()})
			switch {
			case row.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.reason != "" && (!errors.Is(err, interceptor.ErrInvalidToken) || !strings.Contains(err.Error(), row.reason)):
				t.Errorf("got %v, want an invalid token because of %s", err, row.reason)
			}
		})
	}
}
