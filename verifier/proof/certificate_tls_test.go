package proof_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

var tlsVersions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// TestCertificateOverTLS: clients present their certificates to a server, in full
// handshakes and in resumed sessions.
func TestCertificateOverTLS(t *testing.T) {
	t.Parallel()
	alice, bob := authtest.NewCertificate(t, "alice"), authtest.NewCertificate(t, "bob")
	chain := &authtest.Certificate{TLS: alice.TLS}
	chain.TLS.Certificate = [][]byte{alice.TLS.Certificate[0], bob.TLS.Certificate[0]}
	const another = "bound to another client certificate"
	for name, version := range tlsVersions {
		server := startTLS(t, bindingServer(newCertificateBinding(t, proof.CertificateConfig{})), version)
		for _, tt := range []struct {
			name        string
			certificate *authtest.Certificate
			http2       bool
			boundTo     *authtest.Certificate
			header      http.Header
			want        string
		}{
			{"R8705-3 the certificate", alice, false, alice, nil, ""},
			{"R8705-3 the certificate over HTTP/2", alice, true, alice, nil, ""},
			{"R8705-3 another certificate", bob, false, alice, nil, another},
			{"R8705-3 another certificate over HTTP/2", bob, true, alice, nil, another},
			{"R8705-3 no certificate", nil, false, alice, nil, "the peer sent none"},
			{"R8705-3 no certificate, and fields", nil, true, alice, fieldsOf(alice), "the peer sent none"},
			{"R8705-3 another certificate, and fields", bob, true, alice, fieldsOf(alice), another},
			{"R8705-3 the certificate, and fields of another", alice, false, alice, fieldsOf(bob), ""},
			{"R8705-3 a chain", chain, false, alice, nil, ""},
			{"R8705-3 the end of a chain", chain, false, bob, nil, another},
		} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				client := clientOf(t, server, tt.certificate, tt.http2)
				for _, resumed := range []bool{false, true} {
					got := call(t, client, server.URL, tt.boundTo.Thumbprint(), tt.header)
					if got.resumed != resumed || got.http2 != tt.http2 {
						t.Fatalf("got %+v, want one of a session that is resumed: %t", got, resumed)
					}
					got.wantText(t, tt.want)
				}
			})
		}
	}
}

// TestCertificateWithoutTLS: a connection that is not encrypted has no certificate
// (R8705-3).
func TestCertificateWithoutTLS(t *testing.T) {
	t.Parallel()
	alice := authtest.NewCertificate(t, "alice")
	server := httptest.NewServer(bindingServer(newCertificateBinding(t, proof.CertificateConfig{})))
	defer server.Close()
	call(t, server.Client(), server.URL, alice.Thumbprint(), fieldsOf(alice)).wantText(t, "the connection is not encrypted")
}

// fieldsOf returns both fields for a certificate.
func fieldsOf(c *authtest.Certificate) http.Header {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.TLS.Leaf.Raw}))
	return http.Header{
		clientCert: {":" + base64.StdEncoding.EncodeToString(c.TLS.Leaf.Raw) + ":"},
		xfcc:       {"Hash=" + hexOf(c.TLS.Leaf.Raw) + `;Cert="` + strings.ReplaceAll(url.QueryEscape(text), "+", "%20") + `"`},
	}
}

// startProxy starts a proxy that terminates TLS and sends the certificate of the
// client in a field. The proxy removes that field from requests, and no other. It
// authenticates towards the backend if it has a certificate.
func startProxy(t *testing.T, backend *httptest.Server, field string, version uint16, own *authtest.Certificate) *httptest.Server {
	t.Helper()
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := backend.Client().Transport
	if backend.TLS != nil {
		transport = clientOf(t, backend, own, false).Transport
	}
	return startTLS(t, &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del(field)
		if certificates := r.In.TLS.PeerCertificates; len(certificates) > 0 {
			r.Out.Header[field] = fieldsOf(&authtest.Certificate{TLS: tls.Certificate{Leaf: certificates[0]}})[field]
		}
	}}, version)
}

// TestCertificateBehindProxy: clients present their certificates to a proxy.
func TestCertificateBehindProxy(t *testing.T) {
	t.Parallel()
	alice, bob, own := authtest.NewCertificate(t, "alice"), authtest.NewCertificate(t, "bob"), authtest.NewCertificate(t, "proxy")
	const another = "bound to another client certificate"
	loopback := prefixes("127.0.0.0/8", "::1/128")
	elsewhere := []proof.CertificateProxy{{Networks: prefixes("192.0.2.0/24"), Field: clientCert}}
	for name, version := range tlsVersions {
		for field, ignored := range map[string]string{clientCert: xfcc, xfcc: clientCert} {
			listed := []proof.CertificateProxy{{Networks: loopback, Field: field}}
			crossed := []proof.CertificateProxy{{Networks: loopback, Field: ignored}}
			for _, tt := range []struct {
				name        string
				proxies     []proof.CertificateProxy
				certificate *authtest.Certificate // of the client
				boundTo     *authtest.Certificate
				header      http.Header // from the client
				want        string      // over a plain connection of the proxy
				mutual      string      // over one in which the proxy authenticates
			}{
				{"R8705-3 the certificate", listed, alice, alice, nil, "", ""},
				{"R8705-3 another certificate", listed, bob, alice, nil, another, another},
				{"R8705-3 another certificate, and fields", listed, bob, alice, fieldsOf(alice), another, another},
				{"R8705-3 the certificate, and fields of another", listed, alice, alice, fieldsOf(bob), "", ""},
				{"R8705-3 no certificate", listed, nil, alice, nil, "the proxy sent no field " + field, "the proxy sent no field " + field},
				{"R8705-3 no certificate, and fields", listed, nil, alice, fieldsOf(alice), "the proxy sent no field " + field, "the proxy sent no field " + field},
				{"R8705-3 that of the proxy", listed, alice, own, nil, another, another},
				{"R8705-3 that of the proxy, and none of the client", listed, nil, own, nil, "the proxy sent no field", "the proxy sent no field"},
				{"R8705-3 the other field", crossed, alice, alice, nil, "the proxy sent no field " + ignored, "the proxy sent no field " + ignored},
				{"R8705-3 the other field lets the client choose", crossed, nil, alice, fieldsOf(alice), "", ""},
				{"R8705-3 a proxy that is not listed", elsewhere, alice, alice, nil, "the connection is not encrypted", another},
				{"R8705-3 that of a proxy that is not listed", elsewhere, alice, own, nil, "the connection is not encrypted", ""},
				{"R8705-3 no list", nil, alice, alice, nil, "the connection is not encrypted", another},
			} {
				t.Run(name+" "+field+" "+tt.name, func(t *testing.T) {
					t.Parallel()
					handler := bindingServer(newCertificateBinding(t, proof.CertificateConfig{ClientCertificateProxies: tt.proxies}))
					plain := httptest.NewServer(handler)
					defer plain.Close()
					for backend, want := range map[*httptest.Server]string{plain: tt.want, startTLS(t, handler, version): tt.mutual} {
						proxy := startProxy(t, backend, field, version, own)
						call(t, clientOf(t, proxy, tt.certificate, true), proxy.URL, tt.boundTo.Thumbprint(), tt.header).wantText(t, want)
					}
				})
			}
		}
	}
}
