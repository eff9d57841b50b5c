package authtest_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// TestCertificate: a server requires a certificate that it trusts, and sees the one
// whose thumbprint the token has (R8705-3).
func TestCertificate(t *testing.T) {
	t.Parallel()
	one, other, stranger := authtest.NewCertificate(t, "one"), authtest.NewCertificate(t, "other"), authtest.NewCertificate(nil, "stranger")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		presented := r.TLS.PeerCertificates[0]
		hash := sha256.Sum256(presented.Raw)
		io.WriteString(w, presented.Subject.CommonName+" "+base64.RawURLEncoding.EncodeToString(hash[:]))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authtest.CertificatePool(one, other)}
	server.StartTLS()
	defer server.Close()
	for _, tt := range []struct {
		name        string
		certificate *authtest.Certificate
		want        string // empty if the server refuses
	}{
		{"R8705-3 one", one, "one " + one.Thumbprint()},
		{"R8705-3 other", other, "other " + other.Thumbprint()},
		{"R8705-3 stranger", stranger, ""},
		{"R8705-3 none", nil, ""},
	} {
		trusted := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}
		if tt.certificate != nil {
			transport.TLSClientConfig.Certificates = []tls.Certificate{tt.certificate.TLS}
		}
		got := ""
		if response, err := (&http.Client{Transport: transport}).Get(server.URL); err == nil {
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			got = string(body)
		}
		transport.CloseIdleConnections()
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if one.Confirmation()["x5t#S256"] != one.Thumbprint() || one.Thumbprint() == other.Thumbprint() {
		t.Errorf("got %v and %s", one.Confirmation(), other.Thumbprint())
	}
}
