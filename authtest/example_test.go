package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/oauth2/clientcredentials"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// A test uses NewIssuer(t) instead of Start and Close.
func Example() {
	issuer := authtest.Start()
	defer issuer.Close()

	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
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
	idToken.Header = map[string]any{"typ": "JWT"}

	for _, minted := range []authtest.Token{good, expired, forged, idToken} {
		_, err := jwt.VerifyToken(context.Background(), issuer.Mint(minted), nil)
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
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	raw := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}})

	_, err = jwt.VerifyToken(context.Background(), raw, nil)
	fmt.Println("before:", err)

	issuer.Down()
	_, err = jwt.VerifyToken(context.Background(), raw, nil)
	fmt.Println("known token, issuer down:", err)
	fmt.Println("key-set requests:", issuer.KeySetRequests())
	// Output:
	// before: <nil>
	// known token, issuer down: <nil>
	// key-set requests: 1
}

// A test calls RefusesAnonymous with its *testing.T, which fails. Here, nothing
// guards a method.
func ExampleRefusesAnonymous() {
	t := new(recorder) // in place of a *testing.T
	const procedure = "/authtest.test.v1.MadeUp/Get"
	mux := http.NewServeMux()
	mux.Handle(procedure, connect.NewUnaryHandler(procedure,
		func(context.Context, *connect.Request[wrapperspb.StringValue]) (*connect.Response[wrapperspb.StringValue], error) {
			return nil, connect.NewError(connect.CodeNotFound, errors.New("there is no item without a name"))
		}))
	server := httptest.NewServer(mux)
	defer server.Close()

	authtest.RefusesAnonymous(t, server.URL)
	for _, text := range t.errors {
		fmt.Println(text)
	}
	// Output:
	// authtest: /authtest.test.v1.MadeUp/Get lets an anonymous call in: Connect answered 404 Not Found with code not_found, gRPC answered 200 OK with status 5 "there is no item without a name", gRPC-Web answered 200 OK with status 5 "there is no item without a name"
}

// A client under test gets its tokens at the token endpoint of the issuer.
func ExampleIssuer_AddClient() {
	issuer := authtest.Start()
	defer issuer.Close()
	issuer.AddClient(authtest.Client{ID: "robot", Secret: "secret", Scopes: []string{"inventory:read"}})
	cfg := clientcredentials.Config{
		ClientID:       "robot",
		ClientSecret:   "secret",
		TokenURL:       issuer.URL + "/token",
		EndpointParams: url.Values{"resource": {"https://api.example.com"}},
	}
	received, err := cfg.Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := jwt.VerifyToken(context.Background(), received.AccessToken, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Subject, info.Audience, info.Scopes)
	// Output:
	// robot [https://api.example.com] [inventory:read]
}
