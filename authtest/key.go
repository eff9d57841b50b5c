package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

const rsaBits = 2048

// A key signs with one algorithm.
type key struct {
	id        string
	algorithm string
	signer    crypto.Signer
}

func generateKey(id, algorithm string) (*key, error) {
	signer, err := generateSigner(algorithm)
	if err != nil {
		return nil, err
	}
	return &key{id: id, algorithm: algorithm, signer: signer}, nil
}

func generateSigner(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		return spareRSA.take()
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return nil, fmt.Errorf("unknown algorithm %q; ES256, RS256 and EdDSA are supported", algorithm)
	}
}

// public returns the key in the form in which it is published.
func (k *key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.id, Algorithm: k.algorithm, Use: "sig"}
}

// sign returns the signature over a JWS signing input (RFC 7515 §5.1) in the
// form of RFC 7518 §3 and RFC 8037 §3.1. It uses the standard library and no
// JOSE library, because it must also sign tokens that such a library refuses to
// sign.
func (k *key) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch signer := k.signer.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, signer, digest[:])
		if err != nil {
			return nil, err
		}
		return concatenate(r, s), nil
	default:
		return k.signer.Sign(rand.Reader, input, crypto.Hash(0))
	}
}

// concatenate returns an ES256 signature (RFC 7518 §3.4): two numbers of 32
// bytes each.
func concatenate(r, s *big.Int) []byte {
	const size = 32
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature
}

// recycle makes a private key that was slow to generate available for another key.
func (k *key) recycle() {
	if private, ok := k.signer.(*rsa.PrivateKey); ok {
		spareRSA.put(private)
	}
}

// spareRSA holds the RSA keys that are not used any more.
var spareRSA rsaPool

type rsaPool struct {
	mu   sync.Mutex
	keys []*rsa.PrivateKey
}

func (p *rsaPool) take() (*rsa.PrivateKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.keys) - 1; last >= 0 {
		k := p.keys[last]
		p.keys = p.keys[:last]
		return k, nil
	}
	return rsa.GenerateKey(rand.Reader, rsaBits)
}

func (p *rsaPool) put(k *rsa.PrivateKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, k)
}
