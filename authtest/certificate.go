package authtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"testing"
	"time"
)

// A Certificate is a self-signed certificate of a client, with its key, for mutual
// TLS (RFC 8705). It must not be changed.
type Certificate struct {
	// TLS is for the Certificates of a client's [tls.Config]. Its Leaf is set.
	TLS tls.Certificate
}

// NewCertificate makes a certificate with the given common name, which is valid for
// a day. A failure ends the test with Fatalf. tb may be nil in a program without a
// test, such as an example; a failure then panics.
func NewCertificate(tb testing.TB, name string) *Certificate {
	reporterOf(tb).Helper()
	made, err := newCertificate(name)
	must(tb, err)
	return &Certificate{made}
}

func newCertificate(name string) (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, nil
}

// Confirmation returns the cnf claim of a token that is bound to the certificate
// (RFC 8705 §3.1), for [Token.Confirmation].
func (c *Certificate) Confirmation() map[string]any {
	return map[string]any{"x5t#S256": c.Thumbprint()}
}

// Thumbprint returns the SHA-256 thumbprint of the certificate (RFC 8705 §3.1).
func (c *Certificate) Thumbprint() string {
	hash := sha256.Sum256(c.TLS.Leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// CertificatePool returns a pool for the ClientCAs of a server's [tls.Config] that
// trusts these certificates.
func CertificatePool(certificates ...*Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c.TLS.Leaf)
	}
	return pool
}
