package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// A test uses NewIssuer(t) instead of Start and Close.
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

	for _, minted := range []authtest.Token{good, expired, forged, idToken} {
		_, err := jwt.VerifyToken(context.Background(), issuer.Mint(minted))
		fmt.Println("refused:", errors.Is(err, token.ErrInvalid))
	}
	// Output:
	// refused: false
	// refused: true
	// refused: true
	// refused: true
}

// Known tokens stay valid while the provider is unreachable.
func ExampleIssuer_Down() {
	issuer := authtest.Start()
	defer issuer.Close()
	jwt, err := verifier.NewJWT(verifier.JWTConfig{Issuer: issuer.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}})

	_, err = jwt.VerifyToken(context.Background(), raw)
	fmt.Println("before:", err)

	issuer.Down()
	_, err = jwt.VerifyToken(context.Background(), raw)
	fmt.Println("known token, issuer down:", err)
	fmt.Println("key-set requests:", issuer.KeySetRequests())
	// Output:
	// before: <nil>
	// known token, issuer down: <nil>
	// key-set requests: 1
}
