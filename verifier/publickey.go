package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// minRSABits is the minimum of RFC 7518 §3.3.
const minRSABits = 2048

// A publicKey is a key of the issuer that can check signatures.
type publicKey struct {
	name     keyName
	key      *jose.JSONWebKey
	identity identity
}

// An identity is equal for two keys only if they are the same key with the same
// name.
type identity struct {
	name       keyName
	thumbprint string // RFC 7638
}

// parseKeySet returns the usable keys of a JWK set (RFC 7517 §5). It passes over
// the others, such as keys of an unknown type, as RFC 7517 §5 requires. A set
// without a usable key is an error: a mistake is far more likely than the
// intention that no token be accepted.
func parseKeySet(document []byte, algorithms []string) (published, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return published{}, fmt.Errorf("not a key set: %s", jwt.Quote(err.Error()))
	}
	var result published
	for _, raw := range set.Keys {
		key, err := parseKey(raw, algorithms)
		if err != nil {
			result.unusable = append(result.unusable, newUnusableKey(raw, err))
			continue
		}
		result.keys = append(result.keys, key)
	}
	if len(result.keys) == 0 {
		return published{}, fmt.Errorf("no usable key among %d: %s", len(set.Keys), result.unusable)
	}
	return result, nil
}

func parseKey(raw []byte, algorithms []string) (*publicKey, error) {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil {
		return nil, err
	}
	if err := checkUse(raw, key.Use); err != nil {
		return nil, err
	}
	algorithm, err := algorithmOf(&key, algorithms)
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	name := keyName{id: key.KeyID, algorithm: algorithm}
	return &publicKey{name: name, key: &key, identity: identity{name, string(thumbprint)}}, nil
}

// purposeError is the reason against a key that is not for signatures. Many
// issuers publish keys for encryption beside them.
type purposeError struct{ reason string }

func (o *purposeError) Error() string { return o.reason }

// checkUse refuses keys that have another purpose (RFC 7517 §4.2, §4.3).
func checkUse(raw []byte, use string) error {
	if use != "" && use != "sig" {
		return &purposeError{"use is " + jwt.Quote(use)}
	}
	var purpose struct {
		Operations []string `json:"key_ops"`
	}
	if err := json.Unmarshal(raw, &purpose); err != nil {
		return err
	}
	if purpose.Operations != nil && !slices.Contains(purpose.Operations, "verify") {
		return &purposeError{"key_ops lacks verify"}
	}
	return nil
}

// algorithmOf returns the one algorithm that a key is used with (RFC 8725
// §3.1): the one that the key names, or the first accepted one that it is
// capable of. Keys other than RSA keys are capable of one only.
func algorithmOf(key *jose.JSONWebKey, accepted []string) (string, error) {
	able, err := abilities(key.Key)
	if err != nil {
		return "", err
	}
	for _, algorithm := range accepted {
		if slices.Contains(able, algorithm) && (key.Algorithm == "" || key.Algorithm == algorithm) {
			return algorithm, nil
		}
	}
	return "", fmt.Errorf("not for an accepted algorithm (alg %s): see Algorithms", jwt.Quote(key.Algorithm))
}

// abilities returns the algorithms that a public key is capable of. A symmetric
// or private key has none: once the issuer has published it, anyone can sign.
func abilities(key any) ([]string, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return nil, errors.New("RSA key of only " + strconv.Itoa(bits) + " bits")
		}
		if err := jwt.CheckRSA(key); err != nil {
			return nil, err
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		return curveAbilities(key.Curve)
	case ed25519.PublicKey:
		return []string{"EdDSA"}, nil
	default:
		return nil, fmt.Errorf("unknown kind of key %T", key)
	}
}

// curveAbilities returns the algorithm of a curve (RFC 7518 §3.4).
func curveAbilities(curve elliptic.Curve) ([]string, error) {
	switch curve {
	case elliptic.P256():
		return []string{"ES256"}, nil
	case elliptic.P384():
		return []string{"ES384"}, nil
	case elliptic.P521():
		return []string{"ES512"}, nil
	default:
		return nil, errors.New("unknown curve")
	}
}
