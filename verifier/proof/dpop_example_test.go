package proof_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// An Authorizer has the DPoP among its Bindings, and calls it for each request with
// a bound token. Here a server calls it itself.
func ExampleNewDPoP() {
	dpop, err := proof.NewDPoP(proof.DPoPConfig{
		NonceKeys: [][]byte{[]byte("32 random bytes from a secret...")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const url = "https://api.example.com/shop.v1.ShopService/ListItems"
	client := authtest.NewProofKey(nil, "ES256")
	info := &token.Info{Subject: "ada", Confirmation: client.Confirmation()} // of a Verifier
	send := func(p string) error {
		header := http.Header{"Dpop": {p}}
		return dpop.CheckBinding(context.Background(), info, token.Request{
			Method: http.MethodPost, URL: url, Raw: "the access token",
			Values: func(name string) []string { return header[name] },
		})
	}

	p := authtest.Proof{Method: http.MethodPost, URL: url, AccessToken: "the access token"}
	err = send(client.Prove(p))
	fmt.Println(err)
	if refusal, ok := errors.AsType[*token.ProofError](err); ok {
		p.Nonce = refusal.Nonce // as the field DPoP-Nonce of the response
	}
	proved := client.Prove(p)
	fmt.Println(send(proved))
	fmt.Println(send(proved))
	// Output:
	// proof: use_dpop_nonce: the nonce is missing
	// <nil>
	// proof: invalid_dpop_proof: the jti was used before
}

// NewDPoP reports all faults of a configuration together.
func ExampleNewDPoP_faults() {
	_, err := proof.NewDPoP(proof.DPoPConfig{
		Algorithms: []string{"ES256", "HS256"},
		NonceKeys:  [][]byte{[]byte("too short")},
		Rewrites:   []proof.Rewrite{{PublicURL: "https://api.example.com/shop/", URL: "/"}},
	})
	for f := range fault.All(err) {
		fmt.Println(f.Place)
	}
	// Output:
	// proof: DPoPConfig.Algorithms[1]
	// proof: DPoPConfig.NonceKeys[0]
	// proof: DPoPConfig.Rewrites[0].URL
}

// A gate in front of the server leaves the jti for the server.
func ExampleDPoP_ValidateOnly() {
	dpop, err := proof.NewDPoP(proof.DPoPConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	bindings := map[string]token.Binding{"jkt": dpop.ValidateOnly()}
	scheme, algs := dpop.Scheme()
	fmt.Println(len(bindings), scheme, algs)
	// Output: 1 DPoP [ES256 EdDSA PS256 RS256]
}
