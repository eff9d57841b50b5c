package proof

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	// dpopScheme is the authentication scheme of the tokens (RFC 9449 §7.1).
	dpopScheme = "DPoP"
	// dpopField is the canonical form of the name of the header field.
	dpopField = "Dpop"
	// maxProof bounds a proof, in bytes. One with an RSA key of 4,096 bits takes
	// about two kilobytes.
	maxProof = 8 << 10
)

// The error codes of RFC 9449 §7.1 and §9.
const (
	codeInvalidProof = "invalid_dpop_proof"
	codeUseNonce     = "use_dpop_nonce"
)

// A DPoP checks the DPoP proofs (RFC 9449) of requests whose access token is bound
// to a key by the confirmation method "jkt" (RFC 9449 §6.1). It implements
// [token.SchemeBinding].
//
// It is immutable apart from its store, and safe for concurrent use. It remembers
// the keys of up to 1,024 clients whose proofs were good, in two to five kilobytes
// each, so that they are not parsed for every request.
type DPoP struct {
	algorithms []string
	headers    proofHeaders
	targets    targets
	lifetime   time.Duration
	leeway     time.Duration
	nonces     *nonces // nil if none are asked for
	store      Store   // nil if proofs are not consumed
	now        func() time.Time
}

var _ token.SchemeBinding = (*DPoP)(nil)

// NewDPoP returns a DPoP. If the configuration has faults, the error reports all
// of them; see package fault.
func NewDPoP(config DPoPConfig) (*DPoP, error) { return newDPoP(config, time.Now) }

func newDPoP(config DPoPConfig, now func() time.Time) (*DPoP, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	d := &DPoP{
		algorithms: config.Algorithms,
		headers:    newProofHeaders(config.Algorithms),
		targets:    newTargets(config.Rewrites),
		lifetime:   config.Lifetime,
		leeway:     config.Leeway,
		store:      config.Store,
		now:        now,
	}
	if config.NonceKeys != nil {
		d.nonces = &nonces{keys: config.NonceKeys, lifetime: config.NonceLifetime}
	}
	if d.store == nil && !config.DangerouslyAllowReplay {
		d.store = newMemoryStore(MemoryStoreConfig{}, now)
	}
	return d, nil
}

// Scheme returns "DPoP" and the algorithms of the configuration, for the challenge
// (RFC 9449 §7.1).
func (d *DPoP) Scheme() (name string, algs []string) {
	return dpopScheme, slices.Clone(d.algorithms)
}

// ValidateOnly returns a DPoP that checks the same, but neither asks nor changes
// the store. It is for a gate in front of a server that checks the proof again: if
// the gate used up the jti, the server would refuse the request as a replay. On its
// own it accepts replays.
func (d *DPoP) ValidateOnly() *DPoP {
	gate := *d
	gate.store = nil
	return &gate
}

// CheckBinding checks the proof of a request (RFC 9449 §4.3 and §7.1), and uses it
// up. The proof must
//
//   - be the only value of the field DPoP, with at most 8 KiB,
//   - be a JWS with the typ "dpop+jwt", an accepted alg, and a public jwk whose
//     thumbprint (RFC 7638) is the jkt of the token,
//   - have the method and the URL of the request as its htm and htu, an iat that
//     is recent, the hash of the token as its ath, and a nonce of this server if
//     there are NonceKeys,
//   - have a correct signature and a jti that was not used with the key before.
//
// Methods are compared with case. URLs are compared after the normalization of RFC
// 3986 §6.2.2 and §6.2.3, without the query and fragment of htu (RFC 9449 §4.3). A
// typ is compared without case, and may begin with "application/" (RFC 7515
// §4.1.9). Members of the header that lead to another key (kid, jku, x5u, x5c) have
// no effect, and those that change how a JWS is processed (crit, b64) are refused.
// An exp and an nbf are optional, but must hold.
//
// An error is one of three kinds. It is a [token.ProofError] if the proof is missing
// or not accepted. Its code is "use_dpop_nonce" if a good nonce is missing, and
// "invalid_dpop_proof" otherwise. It has a nonce to use if there are NonceKeys. The
// error unwraps to [token.ErrInvalid] alone if the token has no usable jkt, and to
// [token.ErrUnavailable] if the store cannot tell whether the jti was used; it then
// also unwraps to the error of the store. Texts are meant for a log: one printable
// line, without any part of the token or a secret.
func (d *DPoP) CheckBinding(ctx context.Context, info *token.Info, req token.Request) error {
	text, hash, err := confirmedHash(info, "jkt")
	if err != nil {
		return fmt.Errorf("%w: %w", token.ErrInvalid, err)
	}
	jkt := boundKey{text, hash}
	now := d.now()
	p, err := d.check(&jkt, req, now)
	if err != nil {
		return d.refusal(err, now)
	}
	return d.consume(ctx, &jkt, p, now)
}

// A boundKey is the thumbprint of the key to which a token is bound.
type boundKey struct {
	text string
	hash [sha256.Size]byte
}

// check checks everything but whether the proof was used before. What is cheap
// comes before the signature.
func (d *DPoP) check(jkt *boundKey, req token.Request, now time.Time) (*proofClaims, error) {
	segments, err := onlyProof(req.Values(dpopField))
	if err != nil {
		return nil, err
	}
	header, err := d.headers.read(segments.Header, jkt)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	payload, claims, err := readProofClaims(segments.Payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if err := d.checkClaims(claims, req, now); err != nil {
		return nil, err
	}
	if err := header.verify(payload, segments); err != nil {
		return nil, err
	}
	d.headers.remember(header)
	return claims, nil
}

// onlyProof returns the proof in the values of the field.
func onlyProof(values []string) (jwt.Compact, error) {
	switch {
	case len(values) == 0:
		return jwt.Compact{}, errors.New("the field is missing")
	case len(values) > 1:
		return jwt.Compact{}, fmt.Errorf("there are %d fields", len(values))
	case len(values[0]) > maxProof:
		return jwt.Compact{}, fmt.Errorf("longer than %d bytes", maxProof)
	case strings.Contains(values[0], ","):
		return jwt.Compact{}, errors.New("there are several proofs in the field")
	default:
		return jwt.ParseCompact(values[0])
	}
}

// consume uses up a proof that was checked (RFC 9449 §11.1).
func (d *DPoP) consume(ctx context.Context, jkt *boundKey, claims *proofClaims, now time.Time) error {
	if d.store == nil {
		return nil
	}
	// The jti is as long as the client likes, its hash is not.
	hash := sha256.Sum256([]byte(claims.id))
	err := d.store.Consume(ctx, jkt.text, jwt.Encoding.EncodeToString(hash[:]), d.heldUntil(now))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUsed):
		return d.refusal(err, now)
	default:
		return &storeError{err}
	}
}

// refusal blames the proof.
func (d *DPoP) refusal(cause error, now time.Time) error {
	refusal := &token.ProofError{Code: codeInvalidProof, Cause: &causeError{cause}}
	if d.nonces != nil {
		refusal.Nonce = d.nonces.at(now)
	}
	if _, ok := errors.AsType[nonceError](cause); ok {
		refusal.Code = codeUseNonce
	}
	return refusal
}

// A causeError is the cause of a refusal whose text fits into a log, with that of the ProofError
// round it.
type causeError struct{ cause error }

func (c *causeError) Error() string {
	return jwt.Clip(jwt.Printable(c.cause.Error()), jwt.MaxText-len("proof: : ")-len(codeInvalidProof))
}

func (c *causeError) Unwrap() error { return c.cause }
