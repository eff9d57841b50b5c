package verifier

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// check checks the header and the signature of a token, and nothing else.
func (i *issuer) check(ctx context.Context, segments jwt.Compact) (uint64, error) {
	header, err := i.scanHeader(segments.Header)
	if err != nil {
		return 0, invalid(err)
	}
	return i.keys.verify(ctx, &signed{segments: segments, header: header, policy: &i.header}, arrival{now: time.Now()})
}

// TestCheckSignature passes tokens that earlier checks refuse: the check of the
// signature does not rely on them.
func TestCheckSignature(t *testing.T) {
	server := authtest.NewIssuer(t, "ES256", "EdDSA")
	i := newIssuer(JWTConfig{Issuer: server.URL, Algorithms: []string{"ES256"}}.copied(), nil, time.Now)
	mint := func(minted authtest.Token) string {
		minted.Audience = []string{"https://api.example.com"}
		return server.Mint(minted)
	}
	good := mint(authtest.Token{})
	root := mint(authtest.Token{Subject: "root"})
	off := mint(authtest.Token{Algorithm: "EdDSA"})
	hs256 := mint(authtest.Token{Algorithm: "HS256"})
	none := mint(authtest.Token{Algorithm: "none"})
	segment := func(raw string, i int) string { return strings.Split(raw, ".")[i] }
	for _, row := range []struct {
		name, header, claims, signature string // the tokens to take them from
		reason                          string // empty for a good token
	}{
		{"R7515-7.1 good", good, good, good, ""},
		{"R7515-7.1 good again, with a known header", good, good, good, ""},
		{"R7515-7.1 two signatures", `{"signatures":[{},{}]}`, good, good, "not base64url"},
		{"R7515-7.1 empty header", ".x.x", good, good, "not a JSON object"},
		{"R7515-7.1 empty signature", good, good, "x.x.", "signature is wrong"},
		{"R7515-7.1 signature is not base64url", good, good, "x.x.#", "not base64url"},
		{"R8725-3.1 algorithm off the list", off, good, off, "alg is"},
		{"R8725-3.1 HS256 with the public key", hs256, good, hs256, "alg is"},
		{"R8725-3.2 none", none, good, none, "alg is"},
		{"R9068-4.c the claims of another token", good, root, good, "signature is wrong"},
		{"R9068-4.c the signature of another token", good, good, root, "signature is wrong"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := i.check(t.Context(), jwt.Compact{
				Header:    segment(row.header, 0),
				Payload:   segment(row.claims, 1),
				Signature: segment(row.signature, 2),
			})
			switch {
			case row.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.reason != "" && (!errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), row.reason)):
				t.Errorf("got %v, want an invalid token because of %s", err, row.reason)
			}
		})
	}
}
