package proof_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// A server checks bindings to certificates, with clients that connect directly and
// with those behind an Envoy.
func ExampleNewCertificate() {
	certificate, err := proof.NewCertificate(proof.CertificateConfig{
		ClientCertificateProxies: []proof.CertificateProxy{{
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.7.0/24")},
			Field:    "X-Forwarded-Client-Cert",
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	bindings := map[string]token.Binding{"x5t#S256": certificate} // of a drawbridge.Config

	// What the Authorizer does with the token of a client:
	alice, bob := authtest.NewCertificate(nil, "alice"), authtest.NewCertificate(nil, "bob")
	info := &token.Info{Subject: "alice", Confirmation: alice.Confirmation()}
	for _, sender := range []*authtest.Certificate{alice, bob} {
		fmt.Println(bindings["x5t#S256"].CheckBinding(context.Background(), info, token.Request{
			Peer: "192.0.2.1:50000",
			TLS:  &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{sender.TLS.Leaf}},
		}))
	}
	// Output:
	// <nil>
	// invalid token: bound to another client certificate
}

// NewCertificate reports all faults of a configuration together.
func ExampleNewCertificate_faults() {
	_, err := proof.NewCertificate(proof.CertificateConfig{
		ClientCertificateProxies: []proof.CertificateProxy{
			{Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Field: "X-Client-Cert"},
		},
	})
	for f := range fault.All(err) {
		fmt.Println(f.Place, f.Value)
	}
	// Output:
	// proof: CertificateConfig.ClientCertificateProxies[0].Field X-Client-Cert
	// proof: CertificateConfig.ClientCertificateProxies[0].Networks[0] 0.0.0.0/0
}
