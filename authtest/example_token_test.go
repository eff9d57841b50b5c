package authtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// A resource server asks the introspection endpoint about an opaque token.
func ExampleIssuer_Introspection() {
	issuer := authtest.Start()
	defer issuer.Close()
	issuer.AddClient(authtest.Client{ID: "gate", Secret: "secret"})
	raw := issuer.Mint(authtest.Token{Opaque: true, Scope: "inventory:read"})

	ask := func() {
		form := url.Values{"token": {raw}, "client_id": {"gate"}, "client_secret": {"secret"}}
		response, err := http.PostForm(issuer.URL+"/introspect", form)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		var document struct {
			Active     bool
			Sub, Scope string
		}
		fmt.Println(json.NewDecoder(response.Body).Decode(&document), document)
	}
	ask()
	issuer.Revoke(raw)
	ask()
	// Output:
	// <nil> {true user-1 inventory:read}
	// <nil> {false  }
}

// A client proves that it has the key which its token is bound to, here to the token
// endpoint. A test passes its *testing.T in place of nil.
func ExampleProofKey() {
	issuer := authtest.Start()
	defer issuer.Close()
	issuer.AddClient(authtest.Client{ID: "robot", Secret: "secret", DPoPBound: true})
	key := authtest.NewProofKey(nil, "ES256")
	endpoint := issuer.URL + "/token"

	for _, proof := range []authtest.Proof{
		{Method: "POST", URL: endpoint},
		{Method: "GET", URL: endpoint},
		{Method: "POST", URL: endpoint, Forged: true},
		{Method: "POST", URL: endpoint, Claims: map[string]any{"jti": authtest.Omit}},
		{Method: "POST", URL: endpoint, Header: map[string]any{"jwk": key.PrivateJWK()}},
	} {
		r, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", key.Prove(proof))
		r.SetBasicAuth("robot", "secret")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(response.Status)
		response.Body.Close()
	}
	// Output:
	// 200 OK
	// 400 Bad Request
	// 400 Bad Request
	// 400 Bad Request
	// 400 Bad Request
}

// A token looks like one of a provider.
func ExampleShape() {
	issuer := authtest.Start()
	defer issuer.Close()
	raw := issuer.Mint(authtest.Token{Shape: authtest.ShapeOkta, Scope: "inventory:read inventory:write", Roles: []string{"clerk"}})

	var claims struct {
		Cid         string
		Scp, Groups []string
	}
	fmt.Println(json.Unmarshal(issuer.Introspection(raw), &claims), claims)
	// Output:
	// <nil> {client-1 [inventory:read inventory:write] [clerk]}
}
