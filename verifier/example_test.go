package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func Example() {
	issuer := authtest.Start() // in production, the OpenID provider
	defer issuer.Close()

	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := issuer.Mint(authtest.Token{
		Subject:  "alice",
		Audience: []string{"https://api.example.com"},
		Scope:    "inventory:read inventory:write",
	})
	info, err := jwt.VerifyToken(context.Background(), raw, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Subject, info.Audience, info.Scopes)

	_, err = jwt.VerifyToken(context.Background(), authtest.Tamper(raw), nil)
	fmt.Println(errors.Is(err, token.ErrInvalid))
	// Output:
	// alice [https://api.example.com] [inventory:read inventory:write]
	// true
}

// NewJWT reports all faults of a configuration together.
func ExampleNew_faults() {
	_, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: "http://login.example.com", Algorithms: []string{"RS256", "none"}}}})
	for f := range fault.All(err) {
		fmt.Println(f.Place, f.Value)
	}
	// Output:
	// verifier: JWT[0].Issuer http://login.example.com
	// verifier: JWT[0].Algorithms[1] none
}

// A server that is started early fetches the keys before the first request comes,
// and its readiness probe asks for them.
func ExampleVerifier_Ready() {
	issuer := authtest.Start() // in production, the OpenID provider
	defer issuer.Close()
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	probe := func(w http.ResponseWriter, _ *http.Request) {
		if err := jwt.Ready(); err != nil {
			slog.Warn("not ready", slog.Any("error", err))
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	}

	// The probe would fetch the keys as well, but is asked later.
	if err := jwt.Warm(context.Background()); err != nil {
		slog.Warn("the issuer cannot be reached yet", slog.Any("error", err))
	}
	response := httptest.NewRecorder()
	probe(response, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Print(response.Code, " ", response.Body)
	// Output: 200 ready
}

// Stats are the source of metrics.
func ExampleVerifier_Stats() {
	issuer := authtest.Start() // in production, the OpenID provider
	defer issuer.Close()
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}})
	for range 3 {
		_, _ = jwt.VerifyToken(context.Background(), raw, nil)
	}
	_, _ = jwt.VerifyToken(context.Background(), authtest.Tamper(raw), nil)

	stats := jwt.Stats()
	fmt.Println(stats.Valid, "valid,", stats.Invalid, "invalid")
	fmt.Println(stats.CacheHits, "of", stats.CacheHits+stats.CacheMisses, "from the cache")
	fmt.Println(stats.KeySetFetches, "fetch")
	// Output:
	// 3 valid, 1 invalid
	// 2 of 4 from the cache
	// 1 fetch
}

// A configuration for a provider that does not fully follow RFC 9068.
func ExampleJWTConfig() {
	_, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: "https://keycloak.example.com/realms/shop", AcceptTypeJWT: true, Mapping: verifier.Mapping{Claims: []string{"realm_access"}}}}})
	fmt.Println(err)
	// Output: <nil>
}

// newTokens accepts the users of a Keycloak of one's own, those of customers with a
// tenant at Entra, and those of a partner, whose tokens are opaque and limited.
func newTokens(partnerSecret string) (*verifier.Verifier, error) {
	customers := verifier.Entra("{tenant}", "6f7b0e2a-1111-2222-3333-444455556666", "api://orders", "https://api.example.com", nil)
	customers.Tenants = []string{"8a1c4d5e-0000-4000-8000-000000000001", "8a1c4d5e-0000-4000-8000-000000000002"}
	return verifier.New(verifier.Config{
		JWT: []verifier.JWTConfig{
			verifier.Keycloak("https://login.example.com/realms/acme"),
			customers,
		},
		Introspection: []verifier.IntrospectionConfig{{
			Issuer:       "https://id.partner.example",
			ClientID:     "orders-api",
			ClientSecret: partnerSecret,
			Mapping:      verifier.Mapping{ScopeLimit: []string{"orders:read"}},
		}},
	})
}

func ExampleNew_severalIssuers() {
	tokens, err := newTokens("secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokens.AcceptsIssuer("https://login.microsoftonline.com/8a1c4d5e-0000-4000-8000-000000000001/v2.0"))
	fmt.Println(tokens.AcceptsIssuer("https://login.microsoftonline.com/8a1c4d5e-0000-4000-8000-000000000003/v2.0"))
	fmt.Println(tokens.AcceptsIssuer("https://id.partner.example"))
	// Output:
	// true
	// false
	// true
}
