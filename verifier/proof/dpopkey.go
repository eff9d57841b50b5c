package proof

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

const (
	minRSABits = 2048 // RFC 7518 §3.3
	// maxRSABits bounds the cost of checking a signature.
	maxRSABits = 4096
)

// checkFit checks that a key is one for an algorithm (RFC 7518 §3.1).
func checkFit(algorithm string, key any) error {
	fits := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(key); err != nil {
			return err
		}
		fits = strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		fits = algorithm == curveAlgorithm(key.Curve)
	case ed25519.PublicKey:
		fits = algorithm == "EdDSA"
	}
	if !fits {
		return fmt.Errorf("jwk is not a key for the alg %s", jwt.Quote(algorithm))
	}
	return nil
}

func checkRSA(key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("jwk is an RSA key of %d bits, expected %d to %d", bits, minRSABits, maxRSABits)
	}
	if err := jwt.CheckRSA(key); err != nil {
		return fmt.Errorf("jwk is an %w", err)
	}
	return nil
}

// curveAlgorithm returns the algorithm of a curve (RFC 7518 §3.4), or "".
func curveAlgorithm(curve elliptic.Curve) string {
	switch curve {
	case elliptic.P256():
		return "ES256"
	case elliptic.P384():
		return "ES384"
	case elliptic.P521():
		return "ES512"
	default:
		return ""
	}
}
