package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

// verify is what each peer does with a token that it has not seen: signature,
// issuer, time and, where it has one, the audience.
type verify func(ctx context.Context, raw string) error

// BenchmarkVerify verifies one token again and again, without a cache.
func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA"} {
		issuer := authtest.NewIssuer(b, algorithm)
		good := issuer.Mint(authtest.Token{Audience: []string{peers.Resource}, Scope: peers.Scope})
		for _, peer := range shuffled(verifiers(b, issuer, algorithm)) {
			b.Run("new/"+algorithm+"/"+peer.name, func(b *testing.B) { verifyAll(b, peer.verify, good, true) })
		}
	}
	issuer := authtest.NewIssuer(b, "RS256")
	foreign := authtest.NewIssuer(b, "RS256")
	for _, row := range []struct{ name, raw string }{
		{"garbage", "not-a-token"},
		{"expired", issuer.Mint(authtest.Token{Audience: []string{peers.Resource}, Lifetime: -time.Hour})},
		{"foreign-issuer", foreign.Mint(authtest.Token{Audience: []string{peers.Resource}})},
		{"tampered", authtest.Tamper(issuer.Mint(authtest.Token{Audience: []string{peers.Resource}}))},
	} {
		for _, peer := range shuffled(verifiers(b, issuer, "RS256")) {
			if peer.name != "go-jose" {
				b.Run("refused/"+row.name+"/"+peer.name, func(b *testing.B) { verifyAll(b, peer.verify, row.raw, false) })
			}
		}
	}
}

func verifyAll(b *testing.B, verify verify, raw string, good bool) {
	b.Helper()
	ctx := context.Background()
	// The first call fetches the keys.
	if err := verify(ctx, raw); (err == nil) != good {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(ctx, raw); (err == nil) != good {
			b.Fatal(err)
		}
	}
}

type namedVerify struct {
	name   string
	verify verify
}

func verifiers(b *testing.B, issuer *authtest.Issuer, algorithm string) []namedVerify {
	b.Helper()
	return []namedVerify{
		{"drawbridge", newJWT(b, issuer)},
		{"golang-jwt", newGolangJWT(b, issuer, algorithm)},
		{"go-oidc", newGoOIDC(b, issuer, algorithm)},
		{"zitadel", newZitadel(b, issuer, algorithm)},
		{"go-jose", newGoJOSE(b, issuer, algorithm)},
	}
}

func newJWT(b *testing.B, issuer *authtest.Issuer) verify {
	b.Helper()
	v, err := verifier.New(verifier.Config{CacheSize: -1, JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		b.Fatal(err)
	}
	return func(ctx context.Context, raw string) error {
		_, err := v.VerifyToken(ctx, raw, nil)
		return err
	}
}

func newGolangJWT(b *testing.B, issuer *authtest.Issuer, algorithm string) verify {
	b.Helper()
	keys, err := keyfunc.NewJWKSetJSON(issuer.KeySet())
	if err != nil {
		b.Fatal(err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithIssuer(issuer.URL),
		jwt.WithAudience(peers.Resource), jwt.WithExpirationRequired())
	return func(_ context.Context, raw string) error {
		_, err := parser.ParseWithClaims(raw, jwt.MapClaims{}, keys.Keyfunc)
		return err
	}
}

func newGoOIDC(b *testing.B, issuer *authtest.Issuer, algorithm string) verify {
	b.Helper()
	var document struct {
		URL string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(issuer.Discovery(), &document); err != nil {
		b.Fatal(err)
	}
	keys := oidc.NewRemoteKeySet(context.Background(), document.URL)
	v := oidc.NewVerifier(issuer.URL, keys, &oidc.Config{ClientID: peers.Resource, SupportedSigningAlgs: []string{algorithm}})
	return func(ctx context.Context, raw string) error {
		_, err := v.Verify(ctx, raw)
		return err
	}
}

// staticKeys is a key set for zitadel/oidc.
type staticKeys struct{ set jose.JSONWebKeySet }

func newStaticKeys(b *testing.B, issuer *authtest.Issuer) *staticKeys {
	b.Helper()
	keys := new(staticKeys)
	if err := json.Unmarshal(issuer.KeySet(), &keys.set); err != nil {
		b.Fatal(err)
	}
	return keys
}

// VerifySignature implements the key set of zitadel/oidc.
func (k *staticKeys) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	id, algorithm := zitadel.GetKeyIDAndAlg(jws)
	key, err := zitadel.FindMatchingKey(id, zitadel.KeyUseSignature, algorithm, k.set.Keys...)
	if err != nil {
		return nil, err
	}
	return jws.Verify(&key)
}

func newZitadel(b *testing.B, issuer *authtest.Issuer, algorithm string) verify {
	b.Helper()
	v := op.NewAccessTokenVerifier(issuer.URL, newStaticKeys(b, issuer), op.WithSupportedAccessTokenSigningAlgorithms(algorithm))
	return func(ctx context.Context, raw string) error {
		_, err := op.VerifyAccessToken[*zitadel.AccessTokenClaims](ctx, raw, v)
		return err
	}
}

// newGoJOSE parses, verifies and decodes, and judges nothing: the limit of what
// is built on it.
func newGoJOSE(b *testing.B, issuer *authtest.Issuer, algorithm string) verify {
	b.Helper()
	keys := newStaticKeys(b, issuer)
	algorithms := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)}
	return func(_ context.Context, raw string) error {
		jws, err := jose.ParseSignedCompact(raw, algorithms)
		if err != nil {
			return err
		}
		payload, err := jws.Verify(&keys.set.Keys[0])
		if err != nil {
			return err
		}
		var claims map[string]any
		return json.NewDecoder(bytes.NewReader(payload)).Decode(&claims)
	}
}
