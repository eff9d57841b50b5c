package verifier_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
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
	token := issuer.Mint(authtest.Token{
		Subject:  "alice",
		Audience: []string{"https://api.example.com"},
		Scope:    "inventory:read inventory:write",
	})
	info, err := jwt.VerifyToken(context.Background(), token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Subject, info.Audience, info.Scopes)

	_, err = jwt.VerifyToken(context.Background(), authtest.Tamper(token))
	fmt.Println(errors.Is(err, interceptor.ErrInvalidToken))
	// Output:
	// alice [https://api.example.com] [inventory:read inventory:write]
	// true
}

// All faults of a configuration are reported together.
func ExampleNewJWT_faults() {
	_, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer:     "http://login.example.com",
		Algorithms: []string{"RS256", "none"},
	})
	fmt.Println(err)
	// Output:
	// verifier: JWTConfig.Issuer "http://login.example.com" must be https (or http on a loopback address)
	// verifier: JWTConfig.Algorithms "none" is no asymmetric signature algorithm
}

// A provider that does not follow RFC 9068 in all.
func ExampleJWTConfig() {
	_, err := verifier.NewJWT(verifier.JWTConfig{
		Issuer:        "https://keycloak.example.com/realms/shop",
		AcceptTypeJWT: true,                     // Keycloak sends typ "JWT"
		Claims:        []string{"realm_access"}, // its roles
	})
	fmt.Println(err)
	// Output: <nil>
}
