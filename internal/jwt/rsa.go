package jwt

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"math"
)

// CheckRSA refuses a public key with which crypto/rsa checks no signature: it would count
// as a usable one, and every token would be called forged.
func CheckRSA(key *rsa.PublicKey) error {
	switch {
	case key.E < 3 || key.E > math.MaxInt32 || key.E%2 == 0:
		return errors.New("RSA key with an unusable exponent")
	case key.N.Bit(0) == 0:
		return errors.New("RSA key with an even modulus")
	default:
		return nil
	}
}

// HasFullSalt reports whether a signature that was checked has a salt as long as its hash, if
// it is one of PS256, PS384 or PS512 (RFC 7518 §3.5). go-jose accepts any length.
func HasFullSalt(algorithm string, key any, c Compact, signature []byte) bool {
	var hash crypto.Hash
	switch algorithm {
	case "PS256":
		hash = crypto.SHA256
	case "PS384":
		hash = crypto.SHA384
	case "PS512":
		hash = crypto.SHA512
	default:
		return true
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return false
	}
	digest := hash.New()
	digest.Write([]byte(c.Header + "." + c.Payload))
	return rsa.VerifyPSS(public, hash, digest.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}
