package proof

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// The defaults and bounds of a [DPoPConfig].
const (
	defaultProofLifetime = time.Minute
	maxProofLifetime     = 10 * time.Minute
	defaultProofLeeway   = 30 * time.Second
	maxProofLeeway       = 5 * time.Minute
	defaultNonceLifetime = 5 * time.Minute
	minNonceLifetime     = 10 * time.Second
	maxNonceLifetime     = time.Hour
	minNonceKey          = 32
)

var (
	defaultProofAlgorithms = []string{"ES256", "EdDSA", "PS256", "RS256"}

	// proofAlgorithms are the asymmetric signature algorithms of RFC 7518 §3.1 and
	// RFC 8037 §3.1 (RFC 9449 §4.3, check 6).
	proofAlgorithms = []string{
		"ES256", "ES384", "ES512",
		"EdDSA",
		"PS256", "PS384", "PS512",
		"RS256", "RS384", "RS512",
	}
)

// DPoPConfig configures a [DPoP]. The zero value is usable: proofs of usual
// algorithms are accepted once within about a minute, by this process, without a
// nonce. [NewDPoP] copies the slices; later changes have no effect.
type DPoPConfig struct {
	// Algorithms are the accepted signature algorithms, by their names in RFC 7518
	// §3.1: the ES, PS and RS families and EdDSA. "none" and the HS family are
	// errors. They are sent to clients in this order (RFC 9449 §7.1). Nil means
	// ES256, EdDSA, PS256 and RS256: the key belongs to the client, and those are
	// what libraries for clients use. RSA keys must have 2,048 to 4,096 bits.
	Algorithms []string

	// Lifetime is the time after its iat in which a proof is accepted. Together
	// with Leeway it is the age of the oldest proof. A short one bounds for how long
	// a stolen proof is of use, and how many proofs the store has to hold. Clients
	// make a proof right before they send it, so it needs to cover little more than
	// the way of a request. Zero means one minute; the maximum is 10 minutes.
	Lifetime time.Duration

	// Leeway is the tolerated difference between the clocks of a client and of this
	// machine, in either direction. Zero means 30 seconds; the maximum is 5 minutes.
	// For practically no leeway set a nanosecond.
	Leeway time.Duration

	// NonceKeys are secrets with which nonces are made (RFC 9449 §9). A client must
	// then put a recent nonce of this server into each proof, so that proofs cannot
	// be made in advance by someone who may use its key for a moment, regardless of
	// the clock of the client. The first request of a client is refused with a
	// nonce, and repeated.
	//
	// A nonce is a MAC of the time and not stored: replicas that have the same keys
	// accept the nonces of each other. The first key makes nonces, all are accepted.
	// To replace a key, add the new one at the end on all replicas, then move it to
	// the front, then remove the old one after twice NonceLifetime. Each has at
	// least 32 random bytes. Nil means that no nonce is asked for.
	NonceKeys [][]byte

	// NonceLifetime is the time in which a nonce is at least accepted. It is
	// accepted for at most twice that time. Zero means 5 minutes; it must be between
	// 10 seconds and one hour, and the same on all replicas.
	NonceLifetime time.Duration

	// Store remembers which proofs were used. Replicas that serve the same URLs
	// must share one. Nil means a [MemoryStore] with its default bounds: each jti
	// is then accepted once by each process.
	Store Store

	// DangerouslyAllowReplay accepts a proof any number of times within Lifetime
	// plus Leeway, by remembering none. A stolen request can then be sent again by
	// whoever saw it. RFC 9449 §11.1 allows it where a nonce bounds the time, and
	// requests have no effect when they are repeated. Store must be nil.
	DangerouslyAllowReplay bool

	// Rewrites are the requests that a gateway in front of this server changes. See
	// [Rewrite].
	Rewrites []Rewrite
}

// validate reports all faults of the configuration.
func (c DPoPConfig) validate() error {
	faults := fault.List{Within: "proof: DPoPConfig."}
	if c.Algorithms != nil && len(c.Algorithms) == 0 {
		faults.Add("Algorithms", "", "is empty and would accept no proof", "leave it nil for the default")
	}
	for i, name := range c.Algorithms {
		if !slices.Contains(proofAlgorithms, name) {
			faults.Add(fmt.Sprintf("Algorithms[%d]", i), name, "is not an asymmetric signature algorithm",
				"choose among "+strings.Join(proofAlgorithms, ", "))
		}
	}
	checkDuration(&faults, "Lifetime", c.Lifetime, 0, maxProofLifetime)
	checkDuration(&faults, "Leeway", c.Leeway, 0, maxProofLeeway)
	c.validateNonces(&faults)
	if c.Store != nil && c.DangerouslyAllowReplay {
		faults.Add("DangerouslyAllowReplay", "", "leaves the Store without use", "set one of the two")
	}
	for i, rewrite := range c.Rewrites {
		rewrite.validate(&faults, fmt.Sprintf("Rewrites[%d].", i))
	}
	return faults.Err()
}

// validateNonces does not put any part of a key into a fault.
func (c DPoPConfig) validateNonces(faults *fault.List) {
	if c.NonceKeys == nil && c.NonceLifetime != 0 {
		faults.Add("NonceLifetime", c.NonceLifetime.String(), "has no effect without NonceKeys", "")
	}
	if c.NonceKeys != nil && len(c.NonceKeys) == 0 {
		faults.Add("NonceKeys", "", "is empty, and no nonce could be made", "leave it nil if no nonces are asked for")
	}
	for i, key := range c.NonceKeys {
		if len(key) < minNonceKey {
			faults.Add(fmt.Sprintf("NonceKeys[%d]", i), "", fmt.Sprintf("has only %d bytes", len(key)),
				fmt.Sprintf("use at least %d random ones", minNonceKey))
		}
	}
	if c.NonceLifetime != 0 {
		checkDuration(faults, "NonceLifetime", c.NonceLifetime, minNonceLifetime, maxNonceLifetime)
	}
}

func checkDuration(faults *fault.List, place string, d, least, most time.Duration) {
	if d < least || d > most {
		faults.Add(place, d.String(), fmt.Sprintf("is not between %v and %v", least, most), "")
	}
}

// withDefaults returns the configuration with its zero fields filled in and its
// slices copied. A Store stays nil.
func (c DPoPConfig) withDefaults() DPoPConfig {
	if c.Algorithms == nil {
		c.Algorithms = defaultProofAlgorithms
	}
	c.Algorithms = slices.Clone(c.Algorithms)
	c.Lifetime = cmp.Or(c.Lifetime, defaultProofLifetime)
	c.Leeway = cmp.Or(c.Leeway, defaultProofLeeway)
	c.NonceLifetime = cmp.Or(c.NonceLifetime, defaultNonceLifetime)
	c.NonceKeys = slices.Clone(c.NonceKeys)
	for i, key := range c.NonceKeys {
		c.NonceKeys[i] = bytes.Clone(key)
	}
	return c
}
