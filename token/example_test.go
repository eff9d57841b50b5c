package token_test

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// A handler reads the facts of the caller's token from its context.
func greet(ctx context.Context) string {
	info, ok := token.FromContext(ctx)
	if !ok {
		return "Hello, stranger."
	}
	return fmt.Sprintf("Hello, %s.", info.Subject)
}

// A unit test of a handler needs no Authorizer and no token.
func ExampleNewContext() {
	ctx := token.NewContext(context.Background(), &token.Info{Subject: "ada"})
	fmt.Println(greet(ctx))
	fmt.Println(greet(context.Background()))
	// Output:
	// Hello, ada.
	// Hello, stranger.
}

// apiKey is a Verifier that knows a single token.
type apiKey struct{ key string }

func (v apiKey) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	if subtle.ConstantTimeCompare([]byte(raw), []byte(v.key)) == 0 {
		return nil, fmt.Errorf("%w: not the key", token.ErrInvalid)
	}
	return &token.Info{
		Issuer: "https://login.example.com", Subject: "batch",
		Audience: []string{"https://api.example.com"}, Scopes: []string{"inventory:read"},
	}, nil
}

// AcceptsIssuer makes apiKey a token.IssuerAcceptor.
func (apiKey) AcceptsIssuer(issuer string) bool { return issuer == "https://login.example.com" }

func ExampleIssuerAcceptor() {
	var verifier token.Verifier = apiKey{"k-1"}
	if acceptor, ok := verifier.(token.IssuerAcceptor); ok {
		fmt.Println(acceptor.AcceptsIssuer("https://login.example.com"))
		fmt.Println(acceptor.AcceptsIssuer("https://login.example.com/"))
	}
	// Output:
	// true
	// false
}

func ExampleVerifier() {
	var verifier token.Verifier = apiKey{"k-1"}
	for _, raw := range []string{"k-1", "k-2"} {
		info, err := verifier.VerifyToken(context.Background(), raw, nil)
		fmt.Println(info != nil, err)
	}
	// Output:
	// true <nil>
	// false invalid token: not the key
}
