package verifier

import (
	"context"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

var (
	_ token.Verifier       = (*JWT)(nil)
	_ token.IssuerAcceptor = (*JWT)(nil)
)

// A JWT verifies the JWT access tokens (RFC 9068) of one OpenID provider or OAuth
// 2.0 authorization server. It is safe for concurrent use and needs no Close. The zero value is not usable; use
// [NewJWT].
type JWT struct {
	front  front
	issuer *issuer
}

// NewJWT returns a verifier for the tokens of config.Issuer. Its error holds
// every fault of the configuration; package fault iterates over them.
//
// NewJWT does not contact the issuer; [JWT.Warm] does, and so does the first
// token. If the issuer is unreachable when the program starts, [JWT.VerifyToken]
// returns [token.ErrUnavailable] until it is back.
func NewJWT(config JWTConfig) (*JWT, error) {
	return newJWT(config, time.Now)
}

func newJWT(config JWTConfig, now func() time.Time) (*JWT, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	source := newIssuer(config, now)
	v := &JWT{front: front{source: source, now: now}, issuer: source}
	if config.CacheSize > 0 {
		v.front.cache = newCache(config.CacheSize)
	}
	return v, nil
}

// VerifyToken returns the facts of a valid token. The result is shared between
// calls with the same token and must not be changed.
//
// A token is valid if all of the following hold (RFC 9068 §4, RFC 8725 §3):
//
//   - It is a JWS in compact serialization of at most [token.MaxLength] bytes,
//     with an accepted typ and alg, without crit and b64. Its header and its
//     claims have at most 1,024 values each, nested at most 64 levels deep, and
//     no JSON object in them has a duplicate name.
//   - iss is the issuer. exp is present, and exp, nbf and iat agree with the
//     clock.
//   - sub and aud are present and not empty; [JWTConfig].AllowMissingSubject
//     makes an exception for sub. The other claims that RFC 9068 §2.2 requires
//     may be absent, because common providers omit them.
//   - It is not a token of another kind: neither the claim typ (Keycloak) nor
//     token_use (Cognito) names one. If the typ of its header is not at+jwt, it
//     also has none of the claims at_hash, c_hash, s_hash and events, and has
//     nonce only if its claim typ is Bearer (Keycloak until version 24).
//   - cnf, if present, is a JSON object.
//   - The signature is correct. It was made with a key in the issuer's most
//     recently fetched key set, and with the one algorithm of that key.
//
// A token of another kind or issuer, or one that has expired, is refused before
// its signature is checked. Until then nothing in it is decoded.
//
// VerifyToken checks neither the audience nor the confirmation. A token with a
// cnf claim is bound to a key of its client (RFC 9449 §6, RFC 8705 §3), and
// Info.Confirmation holds the claim. A program that calls VerifyToken itself
// must check that Info.Audience names its resource, and must refuse a token
// whose Info.Confirmation is not nil unless the sender proved possession of the
// key. The Authorizer does both.
//
// Errors unwrap to [token.ErrInvalid] if the token is bad, and to
// [token.ErrUnavailable] if it could not be judged: the key set could not be
// fetched, or ctx ended during the fetch, in which case the error also unwraps
// to ctx.Err(). The text of an error is meant for a log: one line of at most 300
// bytes, without control characters. It says what was expected, and quotes what
// came, but never contains the token.
//
// A token that names an unknown key causes a fetch of the key set. At most one
// fetch starts per second, so a flood of such tokens is harmless. The token is
// invalid only if a fetch that started after the token arrived did not bring
// its key. If no fetch may start yet, the error is [token.ErrUnavailable],
// without waiting: the key may be newer than the last fetch, and clients
// discard a token that is called invalid. A token with a new kid is therefore
// accepted one second after its key is published, plus the time of a fetch.
// Before that it may be unavailable but never invalid.
// [JWTConfig].RefreshInterval states how long a withdrawn key is accepted.
//
// VerifyToken waits for the network only if it has no keys, if its keys are old
// after a long idle period, or if the token names an unknown key. A wait ends
// with ctx, and concurrent callers share one fetch.
func (v *JWT) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	return v.front.verify(ctx, raw)
}

// AcceptsIssuer reports whether issuer is that of the configuration, byte for
// byte. It implements [token.IssuerAcceptor].
func (v *JWT) AcceptsIssuer(issuer string) bool {
	return issuer == v.issuer.claims.issuer
}
