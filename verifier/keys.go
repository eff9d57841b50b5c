package verifier

import (
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// errNoKey means that the signature may have been made with a key that the
// issuer has published since the keys were fetched.
var errNoKey = errors.New("no key fits")

// keys is one state of the key set of the issuer. It is immutable.
type keys struct {
	issuer string
	// serial is that of the attempt that fetched them.
	serial uint64
	// epoch grows whenever a key is withdrawn. A token that was verified in
	// another epoch must be verified again.
	epoch   uint64
	fetched time.Time

	ids         map[string]bool
	byName      map[keyName][]*publicKey
	byAlgorithm map[string][]*publicKey
	identities  map[identity]bool
	unusable    unusableKeys
}

// A keyName names a key, as the header of a token does. The algorithm is part
// of the name, because a key is used with one algorithm only (RFC 8725 §3.1).
type keyName struct{ id, algorithm string }

func newKeys(issuer string, fetched published, previous *keys, serial uint64, now time.Time) *keys {
	k := &keys{
		issuer:      issuer,
		unusable:    fetched.unusable,
		serial:      serial,
		epoch:       1,
		fetched:     now,
		ids:         make(map[string]bool),
		byName:      make(map[keyName][]*publicKey),
		byAlgorithm: make(map[string][]*publicKey),
		identities:  make(map[identity]bool),
	}
	for _, key := range fetched.keys {
		if k.identities[key.identity] {
			continue // one key, published twice
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

// predate reports whether the keys may lack one that was published when the
// token arrived, because the attempt that fetched them had started by then.
func (k *keys) predate(came arrival) bool { return k.serial <= came.attempts }

// verify checks a signature. The error unwraps to errNoKey if newer keys could
// change the result.
func (k *keys) verify(s *signed) error {
	name := s.header.key
	candidates, err := k.candidates(name)
	if err != nil {
		return err
	}
	err = s.verify(candidates)
	switch {
	case !errors.Is(err, errWrongSignature):
		return err
	case name.id == "":
		// The key may have been replaced, which a key ID would have revealed.
		return fmt.Errorf("%w: %w", err, errNoKey)
	default:
		return fmt.Errorf("%w (kid %s)", err, jwt.Quote(name.id))
	}
}

// candidates returns the keys that a token may have been signed with: one,
// unless the issuer publishes several keys with the same ID.
func (k *keys) candidates(name keyName) ([]*publicKey, error) {
	if name.id == "" {
		return k.onlyKey(name.algorithm)
	}
	if found := k.byName[name]; len(found) > 0 {
		return found, nil
	}
	if k.ids[name.id] {
		return nil, fmt.Errorf("alg is %s, and the key with kid %s is for another algorithm", name.algorithm, jwt.Quote(name.id))
	}
	if reason := k.unusable.reasonFor(name.id); reason != "" {
		return nil, fmt.Errorf("%w: the key with kid %s is passed over (%s)", errNoKey, jwt.Quote(name.id), reason)
	}
	return nil, fmt.Errorf("%w: kid %s is not in the key set of %s", errNoKey, jwt.Quote(name.id), k.issuer)
}

// onlyKey returns the key for a token without a key ID. It does not try one key
// after the other, which would let a caller choose the cost of a refusal.
func (k *keys) onlyKey(algorithm string) ([]*publicKey, error) {
	found := k.byAlgorithm[algorithm]
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: no kid, and no key for %s is in the key set of %s", errNoKey, algorithm, k.issuer)
	case 1:
		return found, nil
	default:
		return nil, fmt.Errorf("no kid, and %d keys for %s are in the key set of %s", len(found), algorithm, k.issuer)
	}
}
