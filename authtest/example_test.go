package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// In a test, NewIssuer(t) takes the place of Start and Close.
func Example() {
	issuer := authtest.Start()
	defer issuer.Close()

	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	good := authtest.Token{Audience: []string{"https://api.example.com"}, Scope: "inventory:read"}

	expired := good
	expired.Lifetime = -time.Hour

	forged := good
	forged.Forged = true

	idToken := good
	idToken.Claims = map[string]any{"nonce": "n-0S6"}

	for _, token := range []authtest.Token{good, expired, forged, idToken} {
		_, err := jwt.VerifyToken(context.Background(), issuer.Mint(token))
		fmt.Println("refused:", errors.Is(err, interceptor.ErrInvalidToken))
	}
	// Output:
	// refused: false
	// refused: true
	// refused: true
	// refused: true
}

// A test of what happens while the provider is out of reach.
func ExampleIssuer_Down() {
	issuer := authtest.Start()
	defer issuer.Close()
	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}})

	_, err = jwt.VerifyToken(context.Background(), token)
	fmt.Println("before:", err)

	issuer.Down()
	_, err = jwt.VerifyToken(context.Background(), token)
	fmt.Println("known token, issuer down:", err)
	fmt.Println("key-set requests:", issuer.KeySetRequests())
	// Output:
	// before: <nil>
	// known token, issuer down: <nil>
	// key-set requests: 1
}
