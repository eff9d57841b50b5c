package verifier

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// errNoKey says that the signature may have been made with a key that the issuer
// has published since the keys were fetched.
var errNoKey = errors.New("no key of the issuer fits")

// keys is one state of the key set of the issuer. It is immutable.
type keys struct {
	// serial is that of the attempt that brought them.
	serial uint64
	// epoch grows whenever a key is withdrawn. What was verified in another
	// epoch has to be verified again.
	epoch   uint64
	fetched time.Time

	ids         map[string]bool
	byName      map[keyName][]*publicKey
	byAlgorithm map[string][]*publicKey
	identities  map[identity]bool
}

// A keyName is what a token says about its key. The algorithm is part of it,
// because a key is used with one algorithm only (RFC 8725 §3.1).
type keyName struct{ id, algorithm string }

func newKeys(published []*publicKey, previous *keys, serial uint64, now time.Time) *keys {
	k := &keys{
		serial:      serial,
		epoch:       1,
		fetched:     now,
		ids:         make(map[string]bool),
		byName:      make(map[keyName][]*publicKey),
		byAlgorithm: make(map[string][]*publicKey),
		identities:  make(map[identity]bool),
	}
	for _, key := range published {
		if k.identities[key.identity] {
			continue // published twice, but one key all the same
		}
		k.identities[key.identity] = true
		k.ids[key.name.id] = true
		k.byName[key.name] = append(k.byName[key.name], key)
		k.byAlgorithm[key.name.algorithm] = append(k.byAlgorithm[key.name.algorithm], key)
	}
	if previous != nil {
		k.epoch = previous.epoch
		if k.lacksAny(previous) {
			k.epoch++
		}
	}
	return k
}

func (k *keys) lacksAny(previous *keys) bool {
	for id := range previous.identities {
		if !k.identities[id] {
			return true
		}
	}
	return false
}

// predate reports whether the keys may lack one that was there when the token
// came, because the attempt that brought them had begun by then.
func (k *keys) predate(came arrival) bool { return k.serial <= came.attempts }

// verify returns the payload, or an error that is errNoKey when newer keys
// could lead to another answer.
func (k *keys) verify(jws *jose.JSONWebSignature) ([]byte, error) {
	var name keyName
	name.id, name.algorithm = oidc.GetKeyIDAndAlg(jws)
	candidates, err := k.candidates(name)
	if err != nil {
		return nil, err
	}
	for _, candidate := range candidates {
		if payload, err := jws.Verify(candidate.key); err == nil {
			return payload, nil
		}
	}
	if name.id == "" {
		// The key may have been replaced, which a key id would have told.
		return nil, fmt.Errorf("the signature is wrong: %w", errNoKey)
	}
	return nil, fmt.Errorf("the signature is wrong (kid %s)", quote(name.id))
}

// candidates returns the keys that a token may have been signed with. Usually
// there is one; an issuer that gives several keys the same id means any of
// them.
func (k *keys) candidates(name keyName) ([]*publicKey, error) {
	if name.id == "" {
		return k.onlyKey(name.algorithm)
	}
	if found := k.byName[name]; len(found) > 0 {
		return found, nil
	}
	if k.ids[name.id] {
		return nil, fmt.Errorf("the key is not for this algorithm (kid %s, alg %s)", quote(name.id), quote(name.algorithm))
	}
	return nil, fmt.Errorf("%w (kid %s)", errNoKey, quote(name.id))
}

// onlyKey serves tokens without a key id. Trying one key after the other would
// let a caller choose how much work a refusal is.
func (k *keys) onlyKey(algorithm string) ([]*publicKey, error) {
	found := k.byAlgorithm[algorithm]
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w (no kid, alg %s)", errNoKey, quote(algorithm))
	case 1:
		return found, nil
	default:
		return nil, fmt.Errorf("names no key, and %d could be meant (alg %s)", len(found), quote(algorithm))
	}
}
