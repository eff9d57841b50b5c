package verifier

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

var _ interceptor.TokenVerifier = (*JWT)(nil)

// A JWT verifies the JWT access tokens (RFC 9068) of one OpenID provider. It is
// immutable to its users and safe for concurrent use. The zero value is not
// usable; [NewJWT] makes one. There is nothing to close.
type JWT struct {
	acceptTypeJWT bool
	algorithms    []string
	claims        claimsPolicy
	keys          *keySet
	cache         *cache // nil when nothing is remembered
	now           func() time.Time
}

// NewJWT returns a verifier for the tokens of config.Issuer. Its error holds
// all faults of the configuration, each with the field and the value.
//
// It does not speak to the issuer: an issuer that is out of reach when the
// program starts makes [JWT.VerifyToken] return [interceptor.ErrUnavailable]
// until it is back.
func NewJWT(config JWTConfig) (*JWT, error) {
	return newJWT(config, time.Now)
}

func newJWT(config JWTConfig, now func() time.Time) (*JWT, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	v := &JWT{
		acceptTypeJWT: config.AcceptTypeJWT,
		algorithms:    config.Algorithms,
		claims: claimsPolicy{
			issuer:      config.Issuer,
			leeway:      config.Leeway,
			scopeClaims: config.ScopeClaims,
			keep:        config.Claims,
		},
		keys: newKeySet(config, now),
		now:  now,
	}
	if config.CacheSize > 0 {
		v.cache = newCache(config.CacheSize)
	}
	return v, nil
}

// VerifyToken returns the facts of a good token. The result is shared between
// calls with the same token and must not be changed.
//
// A token is good if all of this holds (RFC 9068 §4, RFC 8725 §3):
//
//   - it is a JWS in compact serialization of at most 16 KiB, with an accepted
//     typ and alg, without crit, and without a name that occurs twice;
//   - iss is the issuer, and exp, nbf and iat agree with the clock; exp is
//     required;
//   - sub and aud are there and not empty. The other claims that RFC 9068 §2.2
//     requires may be absent, since common providers leave them out and nothing
//     is decided by them;
//   - it is no other kind of token: it has none of nonce, at_hash, c_hash,
//     s_hash and events, nor does typ (Keycloak) or token_use (Cognito) in its
//     claims name another kind;
//   - it is not bound to a key of the client: it has no cnf, because the binding
//     is not checked here (RFC 9449 §7.2, RFC 8705 §3);
//   - the signature is right, made with a key that the issuer published when its
//     key set was last fetched, and with the one algorithm that this key is for.
//
// Errors unwrap to [interceptor.ErrInvalidToken] when the token is bad, and to
// [interceptor.ErrUnavailable] when it could not be judged: the key set could
// not be fetched, or ctx ended while it was being fetched, in which case the
// error unwraps to ctx.Err() too. The message is for a log. It may quote claims
// but never holds the token.
//
// A token that names an unknown key causes a fetch, but at most one begins in a
// second, so that a flood of such tokens does no harm. The token is invalid only
// if a fetch that began after it had arrived did not bring the key. If none could
// begin yet, the error is [interceptor.ErrUnavailable], at once: the key may be
// newer than the last fetch, and clients throw away what is called invalid. So a
// token whose kid is new is accepted a second after the publication of the key,
// and the time of a fetch; sent earlier it may be unavailable, but never invalid.
// How long a withdrawn key is accepted stands at [JWTConfig].RefreshInterval.
//
// VerifyToken may be called concurrently. It waits for the network only while
// it has no keys, or old ones after a long rest, or when the token names a key
// that is not known. Such waits end with ctx, and share one fetch.
func (v *JWT) VerifyToken(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
	if len(token) > maxTokenLength {
		return nil, invalid(fmt.Errorf("longer than %d bytes", maxTokenLength))
	}
	came := arrival{now: v.now(), attempts: v.keys.attempts.Load()}
	if known := v.cache.get(token); known != nil && came.now.Before(known.info.Expiry) {
		keys, err := v.keys.load(ctx, came.now)
		if err != nil {
			return nil, err
		}
		if keys.epoch == known.epoch {
			return known.info, nil
		}
	}
	return v.verify(ctx, token, came)
}

// verify checks a token that is not known yet. What is cheap comes first:
// nobody can make us check a signature, or fetch a key, with a token that would
// be refused anyway.
func (v *JWT) verify(ctx context.Context, raw string, came arrival) (*interceptor.TokenInfo, error) {
	token, err := parseToken(raw)
	if err != nil {
		return nil, invalid(err)
	}
	if err := v.checkHeader(token.header); err != nil {
		return nil, invalid(err)
	}
	info, err := v.claims.check(token.claims, came.now)
	if err != nil {
		return nil, invalid(err)
	}
	epoch, err := v.checkSignature(ctx, token, came)
	if err != nil {
		return nil, err
	}
	v.cache.put(raw, &entry{info: info, epoch: epoch})
	return info, nil
}

func (v *JWT) checkHeader(h header) error {
	if !slices.Contains(v.algorithms, h.algorithm) {
		return fmt.Errorf("alg is %s, which is not accepted", quote(h.algorithm))
	}
	// A media type may leave out "application/" and has no case (RFC 7515
	// §4.1.9).
	typ := strings.ToLower(h.typ)
	switch {
	case typ == "at+jwt", typ == "application/at+jwt":
		return nil
	case v.acceptTypeJWT && (typ == "" || typ == "jwt" || typ == "application/jwt"):
		return nil
	default:
		return fmt.Errorf("typ is %s, which is not accepted", quote(h.typ))
	}
}

// checkSignature returns the epoch of the keys that the signature was checked
// with.
func (v *JWT) checkSignature(ctx context.Context, token *token, came arrival) (uint64, error) {
	s := &signature{keys: v.keys, came: came}
	err := oidc.CheckSignature(ctx, token.raw, token.payload, s, v.algorithms, s)
	switch {
	case s.err != nil:
		return 0, s.err
	case err != nil:
		return 0, invalid(err)
	default:
		return s.epoch, nil
	}
}

// A signature carries the check of one signature through [oidc.CheckSignature],
// which would report an outage as an invalid signature.
type signature struct {
	keys  *keySet
	came  arrival
	epoch uint64
	err   error
}

var (
	_ oidc.KeySet          = (*signature)(nil)
	_ oidc.ClaimsSignature = (*signature)(nil)
)

// VerifySignature implements [oidc.KeySet].
func (s *signature) VerifySignature(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	var payload []byte
	payload, s.epoch, s.err = s.keys.verify(ctx, jws, s.came)
	return payload, s.err
}

// SetSignatureAlgorithm implements [oidc.ClaimsSignature]. The algorithm was
// judged before the signature was.
func (s *signature) SetSignatureAlgorithm(jose.SignatureAlgorithm) {}
