package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"time"
)

// A site is where the servers of one run listen. The file with it configures the
// provider, too.
type site struct {
	// Issuer is the provider, MTLS the same with certificates of clients, and Admin
	// its API for administrators.
	Issuer string `json:"issuer"`
	MTLS   string `json:"mtls"`
	Admin  string `json:"admin"`

	// JWT, Opaque and Certificates are the resources, by the tokens that open them.
	// GRPC is the address of the grpc-go server of the first.
	JWT          string `json:"jwt"`
	GRPC         string `json:"grpc"`
	Opaque       string `json:"opaque"`
	Certificates string `json:"certificates"`

	// Logout is the back-channel logout endpoint, and Redirect that of clients, at
	// which nothing listens.
	Logout   string `json:"logout"`
	Redirect string `json:"redirect"`

	// Certificate and Key belong to the servers with TLS.
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

func newSite(ctx context.Context) (site, error) {
	addresses, err := freeAddresses(ctx, 7)
	if err != nil {
		return site{}, err
	}
	s := site{
		Issuer:       "http://" + addresses[0],
		MTLS:         "https://" + addresses[1],
		Admin:        "http://" + addresses[2],
		JWT:          "http://" + addresses[3],
		GRPC:         addresses[4],
		Opaque:       "http://" + addresses[5],
		Certificates: "https://" + addresses[6],
		Logout:       "http://" + addresses[3] + logoutPath,
		Redirect:     "http://127.0.0.1/callback",
	}
	s.Certificate, s.Key, err = newServerCertificate()
	return s, err
}

func (s site) write(w io.Writer) error {
	return json.NewEncoder(w).Encode(s) //nolint:gosec // The secret of a run that it is written for.
}

func readSite(name string) (site, error) {
	data, err := os.ReadFile(name) //nolint:gosec // The name is an argument.
	if err != nil {
		return site{}, err
	}
	var s site
	err = json.Unmarshal(data, &s)
	return s, err
}

// freeAddresses returns addresses on loopback that are free now, with ports below
// those that the kernel gives out, so that nothing else takes them.
func freeAddresses(ctx context.Context, n int) ([]string, error) {
	const lowest, span, tries = 20_000, 12_000, 200
	var listeners []net.Listener
	defer func() {
		for _, listener := range listeners {
			_ = listener.Close() // It has accepted nothing.
		}
	}()
	var found []string
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", lowest+mathrand.IntN(span)) //nolint:gosec // A port is no secret.
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			continue
		}
		listeners = append(listeners, listener)
		if found = append(found, address); len(found) == n {
			return found, nil
		}
	}
	return nil, fmt.Errorf("found only %d of %d free ports", len(found), n)
}

// newServerCertificate returns a self-signed certificate for 127.0.0.1, and its key.
func newServerCertificate() (certificate, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})), nil
}
