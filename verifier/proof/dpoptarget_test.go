package proof_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// TestRewrites: behind a gateway, a proof has to be about the request that the client
// sent to the gateway (R9449-4.3).
func TestRewrites(t *testing.T) {
	t.Parallel()
	const base = "https://api.example.com"
	f := newDPoPFixture(t, proof.DPoPConfig{Rewrites: []proof.Rewrite{
		{PublicMethod: "GET", PublicURL: base + "/v1/items", Method: "POST", URL: base + "/shop.v1.ShopService/ListItems"},
		{PublicMethod: "PUT", PublicURL: base + "/v1/item", Method: "POST", URL: base + "/shop.v1.ShopService/PutItem"},
		{PublicMethod: "POST", PublicURL: base + "/shop.v1.ShopService/PutItem", Method: "POST", URL: base + "/shop.v1.ShopService/PutItem"},
		{PublicURL: "https://gateway.example/shop/", URL: "https://shop.example/"},
		{PublicURL: "https://old.example/a/b/", URL: "https://shop.example/"},
		{PublicURL: "https://bare.example", URL: "https://inside.example"},
		{PublicMethod: "GET", PublicURL: "https://gateway.example/read/", Method: "POST", URL: "https://reads.example/"},
	}})
	for _, row := range []struct {
		name                     string
		method, url              string // as they arrive
		proofMethod, proofTarget string
		want, reason             string
	}{
		{"R9449-4.3 as the client sent it", "POST", base + "/shop.v1.ShopService/ListItems", "GET", base + "/v1/items", "", ""},
		{"R9449-4.3 as the client sent it, with a query", "POST", base + "/shop.v1.ShopService/ListItems", "GET", base + "/v1/items?all=1", "", ""},
		{"R9449-4.3 as it arrives", "POST", base + "/shop.v1.ShopService/ListItems", "POST", base + "/shop.v1.ShopService/ListItems", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 the public URL with the method that arrives", "POST", base + "/shop.v1.ShopService/ListItems", "POST", base + "/v1/items", "invalid_dpop_proof", `htm is "POST", expected "GET"`},
		{"R9449-4.3 the public method with the URL that arrives", "POST", base + "/shop.v1.ShopService/ListItems", "GET", base + "/shop.v1.ShopService/ListItems", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 the public URL of another RPC", "POST", base + "/shop.v1.ShopService/ListItems", "PUT", base + "/v1/item", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 a method that is not rewritten", "GET", base + "/shop.v1.ShopService/ListItems", "GET", base + "/shop.v1.ShopService/ListItems", "", ""},
		{"R9449-4.3 the first of two", "POST", base + "/shop.v1.ShopService/PutItem", "PUT", base + "/v1/item", "", ""},
		{"R9449-4.3 the second of two", "POST", base + "/shop.v1.ShopService/PutItem", "POST", base + "/shop.v1.ShopService/PutItem", "", ""},
		{"R9449-4.3 a mixture of two", "POST", base + "/shop.v1.ShopService/PutItem", "PUT", base + "/shop.v1.ShopService/PutItem", "invalid_dpop_proof", "htm is"},
		{"R9449-4.3 a prefix", "POST", "https://shop.example/a.v1.A/Get", "POST", "https://gateway.example/shop/a.v1.A/Get", "", ""},
		{"R9449-4.3 another prefix", "DELETE", "https://shop.example/a/%2F?x", "DELETE", "https://old.example/a/b/a/%2f", "", ""},
		{"R9449-4.3 a prefix alone", "GET", "https://shop.example", "GET", "https://gateway.example/shop/", "", ""},
		{"R9449-4.3 a prefix and another path", "POST", "https://shop.example/a.v1.A/Get", "POST", "https://gateway.example/shop/a.v1.A/List", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 a prefix and another method", "POST", "https://shop.example/a", "GET", "https://gateway.example/shop/a", "invalid_dpop_proof", "htm is"},
		{"R9449-4.3 a prefix, as it arrives", "POST", "https://shop.example/a", "POST", "https://shop.example/a", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 dot segments out of a prefix", "POST", "https://shop.example/../../a", "POST", "https://gateway.example/a", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 a host that begins like another", "POST", "https://shop.example.org/a", "POST", "https://gateway.example/shop/org/a", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 a prefix with a method", "POST", "https://reads.example/a", "GET", "https://gateway.example/read/a", "", ""},
		{"R9449-4.3 a prefix with another method", "PUT", "https://reads.example/a", "PUT", "https://reads.example/a", "", ""},
		{"R9449-4.3 a URL without a path", "GET", "https://inside.example/", "GET", "https://bare.example/", "", ""},
		{"R9449-4.3 a URL without a path is no prefix", "GET", "https://inside.example/a", "GET", "https://bare.example/a", "invalid_dpop_proof", "htu is"},
		{"R9449-4.3 a URL that is not rewritten", "GET", "https://inside.example/a", "GET", "https://inside.example/a", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			req := request(f.prove(func(p *authtest.Proof) {
				p.Method, p.URL, p.Claims = row.proofMethod, "", map[string]any{"htu": row.proofTarget}
			}))
			req.Method, req.URL = row.method, row.url
			wantCode(t, checkBinding(t, f.dpop, f.info, req), row.want, row.reason)
		})
	}
}
