package proof_test

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

const (
	clientCert = "Client-Cert"
	xfcc       = "X-Forwarded-Client-Cert"

	// The addresses of a proxy and of a client.
	proxyPeer  = "10.0.0.1:4711"
	clientPeer = "192.0.2.1:4711"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// behind returns a configuration for proxies in 10.0.0.0/8 that set a field.
func behind(field string) proof.CertificateConfig {
	return proof.CertificateConfig{ClientCertificateProxies: []proof.CertificateProxy{{Networks: prefixes("10.0.0.0/8"), Field: field}}}
}

func newCertificateBinding(tb testing.TB, config proof.CertificateConfig) *proof.Certificate {
	tb.Helper()
	c, err := proof.NewCertificate(config)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// boundTo returns a token with this value of x5t#S256.
func boundTo(thumbprint any) *token.Info {
	return &token.Info{Subject: "ada", Confirmation: map[string]any{"x5t#S256": thumbprint}}
}

// certificateRequest returns a request of a peer with some fields.
func certificateRequest(peer string, header http.Header, state *tls.ConnectionState) token.Request {
	return token.Request{
		Method: http.MethodPost, URL: listItems, Raw: boundRaw, Peer: peer, TLS: state,
		Values: func(name string) []string { return header[name] },
	}
}

// wantCertificate checks the error of a CheckBinding. An empty reason is for none.
func wantCertificate(tb testing.TB, err error, reason string, secrets ...string) {
	tb.Helper()
	if reason == "" {
		if err != nil {
			tb.Errorf("got %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), reason) {
		tb.Errorf("got %v, want %q", err, reason)
		return
	}
	if !errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrUnavailable) {
		tb.Errorf("the class of %v is not ErrInvalid", err)
	}
	if _, ok := errors.AsType[*token.ProofError](err); ok {
		tb.Errorf("%v is that of another scheme", err)
	}
	text := err.Error()
	if len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		tb.Errorf("the error has %d bytes: %q", len(text), text)
	}
	for _, secret := range secrets {
		for i := 0; i+16 <= len(secret); i += 8 {
			if strings.Contains(text, secret[i:i+16]) {
				tb.Errorf("the error contains a part of the request: %v", err)
			}
		}
	}
}

// An opensslCertificate is an entry of testdata/certificate_openssl.json. OpenSSL
// made and encoded everything in it.
type opensslCertificate struct {
	Name       string `json:"name"`
	Thumbprint string `json:"thumbprint"`
	Hash       string `json:"hash"`
	DER        string `json:"der"`
	PEM        string `json:"pem"`
	Subject    string `json:"subject"`
}

func opensslCertificates(tb testing.TB) []opensslCertificate {
	tb.Helper()
	return vectors.Read[opensslCertificate](tb, "testdata/certificate_openssl.json")
}

// thumbprintOfDER returns the x5t#S256 of a certificate.
func thumbprintOfDER(der []byte) string {
	hash := sha256.Sum256(der)
	return encode(hash[:])
}

const (
	// boundField is the field in which the requests of these tests say to which
	// certificate their token is bound.
	boundField = "Test-Bound-To"
	// resumedField is in a response if the session was resumed.
	resumedField = "Test-Resumed"
)

// bindingServer returns a handler that checks the binding of each request. The body
// of its response is the error.
func bindingServer(c *proof.Certificate) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := c.CheckBinding(r.Context(), boundTo(r.Header.Get(boundField)), token.Request{
			Method: r.Method, URL: r.URL.String(), Raw: boundRaw, Peer: r.RemoteAddr, TLS: r.TLS,
			Values: func(name string) []string { return r.Header[name] },
		})
		if r.TLS != nil && r.TLS.DidResume {
			w.Header().Set(resumedField, "yes")
		}
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, err.Error())
		}
	})
}

// startTLS starts a server that requests certificates of clients, and trusts none in
// particular.
func startTLS(t *testing.T, handler http.Handler, version uint16) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: version, MaxVersion: version}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// clientOf returns a client of a TLS server that has a certificate, or none. Each of
// its requests makes a connection, and resumes the session of the one before it.
func clientOf(t *testing.T, server *httptest.Server, certificate *authtest.Certificate, http2 bool) *http.Client {
	t.Helper()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.TLS}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A certificateReply is what a client gets from a bindingServer.
type certificateReply struct {
	text           string // the error, empty if there is none
	resumed, http2 bool
}

// call sends a request with a token that is bound to a certificate.
func call(t *testing.T, client *http.Client, url, thumbprint string, header http.Header) certificateReply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set(boundField, thumbprint)
	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if (response.StatusCode == http.StatusOK) != (len(body) == 0) {
		t.Fatalf("got %s and %q", response.Status, body)
	}
	return certificateReply{string(body), response.Header.Get(resumedField) != "", response.ProtoMajor == 2}
}

// wantText checks the error. An empty one is for none.
func (r certificateReply) wantText(t *testing.T, want string) {
	t.Helper()
	if (r.text == "") != (want == "") || !strings.Contains(r.text, want) {
		t.Errorf("got %q, want %q", r.text, want)
	}
}
