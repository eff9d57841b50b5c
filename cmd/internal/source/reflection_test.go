package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/sample"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

func stock(t *testing.T) sample.Server {
	t.Helper()
	return sample.Server{
		Files:    sample.Files(t, []string{"testdata/buf"}, "stock/v1/stock.proto"),
		Services: []string{"stock.v1.StockService"},
	}
}

func TestReflection(t *testing.T) {
	t.Parallel()
	token := write(t, "token", "good\n")
	for _, tt := range []struct {
		name   string
		server func(*sample.Server)
		spec   func(*source.Server)
		want   string // of the error
	}{
		{name: "v1", server: func(*sample.Server) {}},
		{name: "v1alpha", server: func(s *sample.Server) { s.IsOld = true }},
		{name: "an unknown service", server: func(s *sample.Server) { s.Services = append(s.Services, "a.Unknown") }},
		{
			name: "nothing known", server: func(s *sample.Server) { s.Services = []string{"a.Unknown"} },
			want: "the server describes no service",
		},
		{name: "no reflection", server: func(s *sample.Server) { s.IsSilent = true }, want: "the server has no reflection service"},
		{name: "token", server: func(s *sample.Server) { s.Token = "good" }, spec: func(s *source.Server) { s.TokenFile = token }},
		{name: "no token", server: func(s *sample.Server) { s.Token = "good" }, want: "give --reflect-token-file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			served := stock(t)
			tt.server(&served)
			spec := source.Server{Address: served.Start(t), Plaintext: true, Timeout: time.Minute}
			if tt.spec != nil {
				tt.spec(&spec)
			}
			s, err := source.Read(t.Context(), source.Spec{Server: spec})
			if tt.want != "" {
				wantError(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rule, _ := s.Rule("stock.v1.StockService", "Set")
			if got, want := rule.String(), "stock:write, authenticated within 1m0s"; got != want {
				t.Errorf("the rule is %q, want %q", got, want)
			}
			if got := s.Services()[0].Name(); got != "stock.v1.StockService" {
				t.Errorf("the service is %s", got)
			}
		})
	}
}

func TestReflectionTLS(t *testing.T) {
	t.Parallel()
	authority := newAuthority(t)
	served := stock(t)
	served.TLS = &tls.Config{Certificates: []tls.Certificate{authority.issue(t, "server.test")}, MinVersion: tls.VersionTLS13}
	plain := served.Start(t)
	served.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.issue(t, "server.test")}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool,
	}
	mutual := served.Start(t)
	served.TLS = nil
	bare := served.Start(t)
	cert, key := authority.files(t, "client")
	for _, tt := range []struct {
		name   string
		server source.Server
		want   string
	}{
		{name: "trusted", server: source.Server{Address: plain, CACert: authority.path, ServerName: "server.test"}},
		{name: "address", server: source.Server{Address: plain, CACert: authority.path}, want: "127.0.0.1"},
		{name: "not trusted", server: source.Server{Address: plain, ServerName: "server.test"}, want: "certificate"},
		{name: "client", server: source.Server{Address: mutual, CACert: authority.path, ServerName: "server.test", Cert: cert, Key: key}},
		{name: "no client", server: source.Server{Address: mutual, CACert: authority.path, ServerName: "server.test"}, want: "--reflect "}, // The text depends on what arrives first.
		{name: "no TLS", server: source.Server{Address: bare, CACert: authority.path}, want: "the server does not speak TLS: give --plaintext"},
		{name: "no plaintext", server: source.Server{Address: plain, Plaintext: true}, want: "leave out --plaintext"},
		{name: "both", server: source.Server{Address: plain, Plaintext: true, CACert: authority.path}, want: "have no effect"},
		{name: "no file", server: source.Server{Address: plain, CACert: "missing"}, want: "--cacert: "},
		{name: "no certificate", server: source.Server{Address: plain, CACert: write(t, "empty", "nothing")}, want: "has no certificate in PEM"},
		{name: "no key", server: source.Server{Address: plain, Cert: cert}, want: "--cert and --key: "},
		{name: "no port", server: source.Server{Address: "localhost"}, want: "is not a host and a port"},
		{name: "nobody", server: source.Server{Address: closedAddress(t), Plaintext: true}, want: "connection refused"},
		{name: "token in the clear", server: source.Server{Address: "db.example:80", Plaintext: true, TokenFile: cert}, want: "needs TLS"},
		{name: "no token", server: source.Server{Address: plain, TokenFile: "missing"}, want: "--reflect-token-file: "},
		{name: "several tokens", server: source.Server{Address: plain, TokenFile: write(t, "two", "a b")}, want: "holds no access token alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.server.Timeout = time.Minute
			_, err := source.Read(t.Context(), source.Spec{Server: tt.server})
			switch {
			case tt.want != "":
				wantError(t, err, tt.want)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// TestReflectionTimeout asks a server that accepts connections and says nothing.
func TestReflectionTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	spec := source.Server{Address: listener.Addr().String(), Plaintext: true, Timeout: 50 * time.Millisecond}
	_, err = source.Read(t.Context(), source.Spec{Server: spec})
	wantError(t, err, "did not answer in time")
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q in it", err, want)
	}
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	path        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	a.certificate, _ = x509.ParseCertificate(encoded)
	a.pool.AddCert(a.certificate)
	a.path = write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded})))
	return a
}

func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(a.files(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (a *authority) files(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	encodedKey, _ := x509.MarshalPKCS8PrivateKey(private)
	return write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encoded}))),
		write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encodedKey})))
}
