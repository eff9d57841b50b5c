package proof_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

func TestCertificateConfigFaults(t *testing.T) {
	t.Parallel()
	entry := func(field string, networks ...string) proof.CertificateProxy {
		return proof.CertificateProxy{Networks: prefixes(networks...), Field: field}
	}
	appended := func(p proof.CertificateProxy) proof.CertificateProxy {
		p.DangerouslyAcceptAppended = true
		return p
	}
	const within = "proof: CertificateConfig.ClientCertificateProxies"
	for _, tt := range []struct {
		name    string
		proxies []proof.CertificateProxy
		want    []string
	}{
		{"nil", nil, nil},
		{"R8705-3 none", []proof.CertificateProxy{}, nil},
		{"R8705-3 one", []proof.CertificateProxy{entry(clientCert, "10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32")}, nil},
		{"R8705-3 a field in another case", []proof.CertificateProxy{entry("client-CERT", "10.0.0.0/8"), entry("x-forwarded-client-cert", "192.0.2.0/24")}, nil},
		{"R8705-3 an appended field", []proof.CertificateProxy{appended(entry(xfcc, "10.0.0.0/8"))}, nil},
		{"R8705-3 networks that overlap, and are alike", []proof.CertificateProxy{entry(xfcc, "10.0.0.0/8", "10.0.0.1/32"), entry("x-forwarded-client-cert", "10.1.0.0/16")}, nil},
		{"R8705-3 networks that touch", []proof.CertificateProxy{entry(xfcc, "10.0.0.0/9"), entry(clientCert, "10.128.0.0/9")}, nil},

		{"R8705-3 an empty entry", []proof.CertificateProxy{{}}, []string{
			within + "[0].Networks: is required; list the addresses of the proxies",
			within + "[0].Field: is required; name the one field that the proxies set, Client-Cert or X-Forwarded-Client-Cert",
		}},
		{"CVE-2026-35051 no networks", []proof.CertificateProxy{{Networks: []netip.Prefix{}, Field: xfcc}}, []string{
			within + "[0].Networks: is required; list the addresses of the proxies",
		}},
		{"CVE-2026-35051 the zero prefix", []proof.CertificateProxy{{Networks: make([]netip.Prefix, 1), Field: xfcc}}, []string{
			within + "[0].Networks[0]: is the zero prefix, and means no network",
		}},
		{"R8705-3 every address", []proof.CertificateProxy{entry(xfcc, "0.0.0.0/0", "::/0")}, []string{
			within + `[0].Networks[0]: "0.0.0.0/0" is every address, so that every client could choose a certificate; list the addresses of the proxies`,
			within + `[0].Networks[1]: "::/0" is every address, so that every client could choose a certificate; list the addresses of the proxies`,
		}},
		{"R8705-3 an IPv4 network written as IPv6", []proof.CertificateProxy{entry(xfcc, "::ffff:10.0.0.0/104")}, []string{
			within + `[0].Networks[0]: "::ffff:10.0.0.0/104" is an IPv4 network written as IPv6; peers are compared as IPv4`,
		}},
		{"R8705-3 an address with the length of a network", []proof.CertificateProxy{entry(xfcc, "10.0.0.1/8", "2001:db8::1/32")}, []string{
			within + `[0].Networks[0]: "10.0.0.1/8" has bits beyond its length; write 10.0.0.0/8 for the network, or /32 for the address`,
			within + `[0].Networks[1]: "2001:db8::1/32" has bits beyond its length; write 2001:db8::/32 for the network, or /128 for the address`,
		}},
		{"R8705-3 an unknown field", []proof.CertificateProxy{entry("X-SSL-Cert", "10.0.0.0/8"), entry("Client Cert", "10.0.0.0/8"), entry("Client-Cert-Chain", "192.0.2.0/24")}, []string{
			within + `[0].Field: "X-SSL-Cert" is neither Client-Cert nor X-Forwarded-Client-Cert`,
			within + `[1].Field: "Client Cert" is neither Client-Cert nor X-Forwarded-Client-Cert`,
			within + `[1].Networks[0]: "10.0.0.0/8" overlaps ClientCertificateProxies[0].Networks[0], whose proxies send the certificate in another way`,
			within + `[2].Field: "Client-Cert-Chain" is neither Client-Cert nor X-Forwarded-Client-Cert`,
		}},
		{"R8705-3 an appended Client-Cert", []proof.CertificateProxy{appended(entry(clientCert, "10.0.0.0/8"))}, []string{
			within + "[0].DangerouslyAcceptAppended: has no effect on Client-Cert, which has one certificate",
		}},
		{"R8705-3 networks that overlap", []proof.CertificateProxy{entry(xfcc, "10.0.0.0/8", "192.0.2.0/24"), entry(clientCert, "192.0.2.7/32", "10.0.0.0/8")}, []string{
			within + `[1].Networks[0]: "192.0.2.7/32" overlaps ClientCertificateProxies[0].Networks[1], whose proxies send the certificate in another way`,
			within + `[1].Networks[1]: "10.0.0.0/8" overlaps ClientCertificateProxies[0].Networks[0], whose proxies send the certificate in another way`,
		}},
		{"R8705-3 networks that overlap, and one is appended to", []proof.CertificateProxy{entry(xfcc, "10.0.0.1/32"), appended(entry(xfcc, "10.0.0.0/8"))}, []string{
			within + `[1].Networks[0]: "10.0.0.0/8" overlaps ClientCertificateProxies[0].Networks[0], whose proxies send the certificate in another way`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := proof.NewCertificate(proof.CertificateConfig{ClientCertificateProxies: tt.proxies})
			if (c == nil) != (len(tt.want) > 0) {
				t.Errorf("got the binding %v", c)
			}
			var got []string
			for f := range fault.All(err) {
				got = append(got, f.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// TestCertificateConfigIsCopied: changes after the construction have no effect.
func TestCertificateConfigIsCopied(t *testing.T) {
	t.Parallel()
	config := behind(clientCert)
	c := newCertificateBinding(t, config)
	config.ClientCertificateProxies[0].Networks[0] = netip.MustParsePrefix("192.0.2.0/24")
	config.ClientCertificateProxies[0].Field = xfcc
	info := boundTo(thumbprintOfDER(one))
	wantCertificate(t, c.CheckBinding(t.Context(), info, certificateRequest(proxyPeer, byOne, nil)), "")
	wantCertificate(t, c.CheckBinding(t.Context(), info, certificateRequest(clientPeer, byOne, nil)), "the connection is not encrypted")
}
