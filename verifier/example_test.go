package verifier_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func Example() {
	issuer := authtest.Start() // in production, the OpenID provider
	defer issuer.Close()

	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := issuer.Mint(authtest.Token{
		Subject:  "alice",
		Audience: []string{"https://api.example.com"},
		Scope:    "inventory:read inventory:write",
	})
	info, err := jwt.VerifyToken(context.Background(), raw)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Subject, info.Audience, info.Scopes)

	_, err = jwt.VerifyToken(context.Background(), authtest.Tamper(raw))
	fmt.Println(errors.Is(err, token.ErrInvalid))
	// Output:
	// alice [https://api.example.com] [inventory:read inventory:write]
	// true
}

// NewJWT reports all faults of a configuration together.
func ExampleNewJWT_faults() {
	_, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer:     "http://login.example.com",
		Algorithms: []string{"RS256", "none"},
	})
	for f := range fault.All(err) {
		fmt.Println(f.Place, f.Value)
	}
	// Output:
	// verifier: JWTConfig.Issuer http://login.example.com
	// verifier: JWTConfig.Algorithms[1] none
}

// A configuration for a provider that does not fully follow RFC 9068.
func ExampleJWTConfig() {
	_, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer:        "https://keycloak.example.com/realms/shop",
		AcceptTypeJWT: true,                     // Keycloak sends typ "JWT"
		Claims:        []string{"realm_access"}, // its roles
	})
	fmt.Println(err)
	// Output: <nil>
}
