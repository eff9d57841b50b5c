package proof_test

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// A certificateCase is a request whose binding is checked, and the number of
// allocations that it may take.
type certificateCase struct {
	name    string
	binding *proof.Certificate
	req     token.Request
	refused bool
	allocs  float64
}

func certificateCases(tb testing.TB) (info *token.Info, cases []certificateCase) {
	tb.Helper()
	alice, bob := authtest.NewCertificate(tb, "alice"), authtest.NewCertificate(tb, "bob")
	info = boundTo("")
	info.Confirmation = alice.Confirmation()
	direct := newCertificateBinding(tb, proof.CertificateConfig{})
	item, envoy := newCertificateBinding(tb, behind(clientCert)), newCertificateBinding(tb, behind(xfcc))
	fields := fieldsOf(alice)
	connection := func(c *authtest.Certificate) *tls.ConnectionState { return stateOf(c.TLS.Leaf.Raw) }
	hash := http.Header{xfcc: {envoyElement(hexOf(alice.TLS.Leaf.Raw), "alice", "spiffe://example.com/alice", "")}}
	return info, []certificateCase{
		{"connection", direct, certificateRequest(clientPeer, nil, connection(alice)), false, 0},
		{"connection beside proxies", envoy, certificateRequest(clientPeer, fields, connection(alice)), false, 0},
		{"Client-Cert", item, certificateRequest(proxyPeer, fields, nil), false, 0},
		{"XFCC with Hash", envoy, certificateRequest(proxyPeer, hash, nil), false, 0},
		{"XFCC with Hash and Cert", envoy, certificateRequest(proxyPeer, fields, nil), false, 1},
		{"refused", direct, certificateRequest(clientPeer, nil, connection(bob)), true, 4},
	}
}

func BenchmarkCertificate(b *testing.B) {
	info, cases := certificateCases(b)
	for _, tt := range cases {
		b.Run(tt.name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if err := tt.binding.CheckBinding(ctx, info, tt.req); (err != nil) != tt.refused {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestCertificateAllocations: a binding costs a hash, and no memory for most
// certificates.
func TestCertificateAllocations(t *testing.T) {
	info, cases := certificateCases(t)
	for _, tt := range cases {
		got := testing.AllocsPerRun(100, func() {
			if err := tt.binding.CheckBinding(t.Context(), info, tt.req); (err != nil) != tt.refused {
				t.Errorf("%s: got %v", tt.name, err)
			}
		})
		if got > tt.allocs {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.allocs)
		}
	}
}
