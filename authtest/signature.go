package authtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
)

type signFunc func(input []byte) ([]byte, error)

// signature returns the algorithm for the header of a JWS, and the function that
// signs it. The algorithm is that of the key, empty for the same, or one of those of
// [Token.Algorithm] that must be refused. other returns the key that signs what is
// forged.
func (k *key) signature(algorithm string, isForged bool, other func() (*key, error)) (name string, sign signFunc, err error) {
	switch {
	case algorithm == "none":
		return algorithm, func([]byte) ([]byte, error) { return nil, nil }, nil
	case algorithm == "HS256":
		return algorithm, k.signWithPublicKey, nil
	case algorithm != "" && algorithm != k.algorithm:
		return "", nil, fmt.Errorf("the key is one for %s, not for %q", k.algorithm, algorithm)
	case isForged:
		stranger, err := other()
		if err != nil {
			return "", nil, err
		}
		return k.algorithm, stranger.sign, nil
	default:
		return k.algorithm, k.sign, nil
	}
}

// signWithPublicKey makes the signature of an attacker against verifiers that
// use the public key of an asymmetric algorithm as a shared secret.
func (k *key) signWithPublicKey(input []byte) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return nil, err
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mac := hmac.New(sha256.New, secret)
	mac.Write(input)
	return mac.Sum(nil), nil
}

// serialize returns a JWS in compact serialization (RFC 7515 §7.1).
func serialize(header, claims []byte, sign signFunc) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(header) + "." + encode(claims)
	signature, err := sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + encode(signature), nil
}

// Tamper returns a token with one bit of its signature changed. It returns a
// token without a signature unchanged.
func Tamper(raw string) string {
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil || len(signature) == 0 {
		return raw
	}
	signature[0] ^= 1
	return raw[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}
