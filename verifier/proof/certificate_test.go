package proof_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// stateOf returns the TLS state of a connection on which the peer sent these
// certificates.
func stateOf(ders ...[]byte) *tls.ConnectionState {
	state := &tls.ConnectionState{HandshakeComplete: true}
	for _, der := range ders {
		state.PeerCertificates = append(state.PeerCertificates, &x509.Certificate{Raw: der})
	}
	return state
}

// The certificates of these tests. What is in them makes no difference.
var (
	one, other, ofProxy = []byte("the certificate of a client"), []byte("the certificate of another"), []byte("the certificate of a proxy")

	byOne   = http.Header{clientCert: {clientCertOf(one)}, xfcc: {"Hash=" + hexOf(one)}}
	byOther = http.Header{clientCert: {clientCertOf(other)}, xfcc: {"Hash=" + hexOf(other)}}
)

func clientCertOf(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }

// TestCertificateSource: the certificate is that of the connection, unless the peer
// is a proxy, whose field then counts alone.
func TestCertificateSource(t *testing.T) {
	t.Parallel()
	none := proof.CertificateConfig{}
	both := proof.CertificateConfig{ClientCertificateProxies: []proof.CertificateProxy{
		{Networks: prefixes("10.0.0.0/8", "2001:db8::/32", "fe80::/10"), Field: clientCert},
		{Networks: prefixes("172.16.0.1/32"), Field: "x-forwarded-client-cert"},
	}}
	crossed := http.Header{clientCert: byOther[clientCert], xfcc: byOne[xfcc]}
	const another, noPeer = "bound to another client certificate", "is not an IP address with a port"
	for _, tt := range []struct {
		name   string
		config proof.CertificateConfig
		peer   string
		header http.Header
		state  *tls.ConnectionState
		want   string
	}{
		{"R8705-3 the certificate of the connection", none, clientPeer, nil, stateOf(one), ""},
		{"R8705-3 another certificate", none, clientPeer, nil, stateOf(other), another},
		{"R8705-3 the leaf of a chain", none, clientPeer, nil, stateOf(one, other), ""},
		{"R8705-3 the authority of a chain", none, clientPeer, nil, stateOf(other, one), another},
		{"R8705-3 no certificate", none, clientPeer, nil, stateOf(), "the peer sent none"},
		{"R8705-3 no TLS", none, clientPeer, nil, nil, "the connection is not encrypted"},
		{"R8705-3 no complete handshake", none, clientPeer, nil, &tls.ConnectionState{PeerCertificates: stateOf(one).PeerCertificates}, "the TLS handshake is not complete"},
		{"R8705-3 no proxies, and a field", none, clientPeer, byOne, stateOf(), "the peer sent none"},
		{"R8705-3 no proxies, and a field without TLS", none, proxyPeer, byOne, nil, "the connection is not encrypted"},
		{"R8705-3 no proxies, and a field of another", none, clientPeer, byOther, stateOf(one), ""},
		{"R8705-3 no proxies, and no peer", none, "", nil, stateOf(one), ""},
		{"R8705-3 no proxies, and a socket", none, "@", nil, stateOf(one), ""},

		{"R8705-3 a client beside proxies", both, clientPeer, nil, stateOf(one), ""},
		{"R8705-3 a client beside proxies, and a field", both, clientPeer, byOne, stateOf(other), another},
		{"R8705-3 a client beside proxies, and a field without TLS", both, clientPeer, byOne, nil, "the connection is not encrypted"},
		{"R8705-3 a client beside proxies, and a field without a certificate", both, clientPeer, byOne, stateOf(), "the peer sent none"},
		{"R8705-3 a client next to a proxy", both, "172.16.0.2:1", byOne, nil, "the connection is not encrypted"},
		{"R8705-3 a client at an IPv6 address", both, "[2001:db9::1]:1", byOne, stateOf(one), ""},

		{"R8705-3 a proxy", both, proxyPeer, byOne, nil, ""},
		{"R8705-3 a proxy with TLS", both, proxyPeer, byOne, stateOf(), ""},
		{"R8705-3 a proxy with mutual TLS", both, proxyPeer, byOne, stateOf(ofProxy), ""},
		{"R8705-3 a proxy and another certificate", both, proxyPeer, byOther, stateOf(one), another},
		{"R8705-3 a proxy whose own certificate it is", both, proxyPeer, nil, stateOf(one), "the proxy sent no field Client-Cert"},
		{"R8705-3 a proxy with the other field", both, proxyPeer, http.Header{xfcc: byOne[xfcc]}, stateOf(one), "the proxy sent no field Client-Cert"},
		{"R8705-3 a proxy with both fields", both, proxyPeer, crossed, nil, another},
		{"R8705-3 another proxy with both fields", both, "172.16.0.1:1", crossed, nil, ""},
		{"R8705-3 another proxy with the other field", both, "172.16.0.1:1", http.Header{clientCert: byOne[clientCert]}, stateOf(one), "the proxy sent no field X-Forwarded-Client-Cert"},
		{"R8705-3 a proxy at an IPv4 address that is mapped", both, "[::ffff:10.0.0.1]:1", byOne, nil, ""},
		{"R8705-3 a proxy at a mapped address, and another certificate", both, "[::ffff:10.0.0.1]:1", byOther, stateOf(one), another},
		{"R8705-3 a proxy at an IPv6 address", both, "[2001:db8::1]:1", byOne, nil, ""},
		{"R8705-3 a proxy in a zone", both, "[fe80::1%eth0]:1", byOne, stateOf(ofProxy), ""},
		{"R8705-3 a proxy in a zone, by its own certificate", both, "[fe80::1%eth0]:1", nil, stateOf(one), "the proxy sent no field"},

		{"R8705-3 no peer", both, "", byOne, stateOf(one), noPeer},
		{"R8705-3 a socket", both, "@", byOne, stateOf(one), noPeer},
		{"R8705-3 a socket with a name", both, "/run/proxy.sock", byOne, stateOf(one), noPeer},
		{"R8705-3 an address without a port", both, "10.0.0.1", byOne, stateOf(one), noPeer},
		{"R8705-3 a name", both, "proxy.example.com:443", byOne, stateOf(one), noPeer},
		{"R8705-3 an IPv6 address without brackets", both, "2001:db8::1:443", byOne, stateOf(one), noPeer},
		{"R8705-3 an address with a zero in front", both, "010.0.0.1:1", byOne, stateOf(one), noPeer},
		{"R8705-3 a long peer", both, strings.Repeat("\x01", 1000), byOne, stateOf(one), noPeer},
		{"R8705-3 a long peer in UTF-8", both, strings.Repeat("\u0085", 1000), byOne, stateOf(one), noPeer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCertificateBinding(t, tt.config)
			err := c.CheckBinding(t.Context(), boundTo(thumbprintOfDER(one)), certificateRequest(tt.peer, tt.header, tt.state))
			wantCertificate(t, err, tt.want, thumbprintOfDER(one), hexOf(one), hexOf(other))
		})
	}
}

// TestCertificateReads: a field is read only if it counts.
func TestCertificateReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, peer string
		config     proof.CertificateConfig
		want       []string
	}{
		{"R8705-3 no proxies", proxyPeer, proof.CertificateConfig{}, nil},
		{"R8705-3 a client", clientPeer, behind(clientCert), nil},
		{"R8705-3 no peer", "", behind(clientCert), nil},
		{"R8705-3 a proxy", proxyPeer, behind(clientCert), []string{clientCert}},
		{"R8705-3 another proxy", proxyPeer, behind("x-forwarded-CLIENT-cert"), []string{xfcc}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			req := certificateRequest(tt.peer, nil, stateOf(one))
			req.Values = func(name string) []string { got = append(got, name); return nil }
			newCertificateBinding(t, tt.config).CheckBinding(t.Context(), boundTo(thumbprintOfDER(one)), req)
			if !slices.Equal(got, tt.want) {
				t.Errorf("it reads %q, want %q", got, tt.want)
			}
		})
	}
}

// TestCertificateConfirmation: the confirmation of the token has one spelling.
func TestCertificateConfirmation(t *testing.T) {
	t.Parallel()
	good := thumbprintOfDER(one)
	last := strings.IndexByte(base64url, good[len(good)-1])
	const notString, notThumbprint, notBase64 = "is missing or not a string", "is not a SHA-256 thumbprint", "is not base64url"
	for _, tt := range []struct {
		name         string
		confirmation map[string]any
		want         string
	}{
		{"R8705-3 a thumbprint", map[string]any{"x5t#S256": good}, ""},
		{"R8705-3 another method beside it", map[string]any{"x5t#S256": good, "jkt": 1}, ""},
		{"R8705-3 nil", nil, notString},
		{"R8705-3 another method", map[string]any{"jkt": good}, notString},
		{"R8705-3 a method in another case", map[string]any{"x5t#s256": good}, notString},
		{"R8705-3 SHA-1", map[string]any{"x5t": good}, notString},
		{"R8705-3 null", map[string]any{"x5t#S256": nil}, notString},
		{"R8705-3 a number", map[string]any{"x5t#S256": 1.0}, notString},
		{"R8705-3 a list", map[string]any{"x5t#S256": []any{good}}, notString},
		{"R8705-3 empty", map[string]any{"x5t#S256": ""}, notThumbprint},
		{"R8705-3 padded", map[string]any{"x5t#S256": good + "="}, notThumbprint},
		{"R8705-3 too short", map[string]any{"x5t#S256": good[1:]}, notThumbprint},
		{"R8705-3 too long", map[string]any{"x5t#S256": good + "A"}, notThumbprint},
		{"R8705-3 a hash of SHA-1", map[string]any{"x5t#S256": good[:27]}, notThumbprint},
		{"R8705-3 hexadecimal", map[string]any{"x5t#S256": hexOf(one)}, notThumbprint},
		{"R8705-3 a line break in place of the last character", map[string]any{"x5t#S256": good[:42] + "\n"}, notThumbprint},
		{"R8705-3 a carriage return in the middle", map[string]any{"x5t#S256": good[:20] + "\r" + good[21:]}, notThumbprint},
		{"R8705-3 a megabyte", map[string]any{"x5t#S256": strings.Repeat("A", 1<<20)}, notThumbprint},
		{"R8705-3 base64", map[string]any{"x5t#S256": "+/" + good[2:]}, notBase64},
		{"R8705-3 padding in place of the last character", map[string]any{"x5t#S256": good[:42] + "="}, notBase64},
		{"R8705-3 a space", map[string]any{"x5t#S256": good[:20] + " " + good[21:]}, notBase64},
		{"R8705-3 a second spelling", map[string]any{"x5t#S256": good[:42] + base64url[last+1:last+2]}, notBase64},
		{"R8705-3 another letter", map[string]any{"x5t#S256": flipped(good)}, "bound to another client certificate"},
		{"R8705-3 zeros", map[string]any{"x5t#S256": strings.Repeat("A", 43)}, "bound to another client certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			info := boundTo("")
			info.Confirmation = tt.confirmation
			err := newCertificateBinding(t, proof.CertificateConfig{}).CheckBinding(t.Context(), info, certificateRequest(clientPeer, nil, stateOf(one)))
			wantCertificate(t, err, tt.want, good, hexOf(one))
		})
	}
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// flipped exchanges the first letter.
func flipped(thumbprint string) string {
	return base64url[strings.IndexByte(base64url, thumbprint[0])^1:][:1] + thumbprint[1:]
}

// TestCertificateOfAuthtest: the confirmation of package authtest is that of the
// certificate.
func TestCertificateOfAuthtest(t *testing.T) {
	t.Parallel()
	c := newCertificateBinding(t, proof.CertificateConfig{})
	client, stranger := authtest.NewCertificate(t, "client"), authtest.NewCertificate(t, "stranger")
	info := boundTo("")
	info.Confirmation = client.Confirmation()
	wantCertificate(t, c.CheckBinding(t.Context(), info, certificateRequest(clientPeer, nil, stateOf(client.TLS.Leaf.Raw))), "")
	wantCertificate(t, c.CheckBinding(t.Context(), info, certificateRequest(clientPeer, nil, stateOf(stranger.TLS.Leaf.Raw))), "bound to another client certificate")
}
