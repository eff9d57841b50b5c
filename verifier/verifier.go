package verifier

import (
	"context"
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
	"github.com/drawbridge-rpc/drawbridge/token"
)

var (
	_ token.Verifier        = (*Verifier)(nil)
	_ token.IssuerAcceptor  = (*Verifier)(nil)
	_ token.ResourceChecker = (*Verifier)(nil)
)

// A Verifier verifies the access tokens of one or several issuers: JWTs (RFC 9068)
// by the keys of their issuers, opaque tokens by introspection (RFC 7662). It is safe
// for concurrent use and needs no Close. The zero value is not usable; use [New].
type Verifier struct {
	front  front
	logger *slog.Logger // nil means slog.Default() at the time of the record
}

// New returns a Verifier. Its error holds every fault of the configuration; package
// fault iterates over them.
//
// New contacts no issuer; [Verifier.Warm] does, and so does the first token. If an
// issuer is unreachable when the program starts, [Verifier.VerifyToken] returns
// [token.ErrUnavailable] for its tokens until it is back.
func New(config Config) (*Verifier, error) {
	return newVerifier(config, time.Now)
}

func newVerifier(config Config, now func() time.Time) (*Verifier, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config = config.copied()
	r := router{exact: make(map[string]source)}
	for _, c := range config.JWT {
		r.expected = append(r.expected, c.Issuer)
		if uri.IsPattern(c.Issuer) {
			r.tenants = append(r.tenants, newTenants(c, config.Logger, now))
		} else {
			exact := newIssuer(c, config.Logger, now)
			r.exact[c.Issuer] = exact
			r.issuers = append(r.issuers, exact)
		}
	}
	for _, c := range config.Introspection {
		r.introspectors = append(r.introspectors, newIntrospector(c, config.Logger, now))
	}
	v := &Verifier{front: front{router: r, cutoffs: newCutoffs(config), now: now}, logger: config.Logger}
	if config.CacheSize > 0 {
		v.front.cache = newCache(config.CacheSize)
	}
	for _, i := range r.introspectors {
		i.cache = v.front.cache
	}
	return v, nil
}

// VerifyToken returns the facts of a valid token. The result is shared between
// calls with the same token and must not be changed. A nil resource is any: of
// several authorization servers with introspection, none is then asked.
//
// A JWT of an issuer in [Config].JWT is valid if all of the following hold
// (RFC 9068 §4, RFC 8725 §3):
//
//   - It is a JWS in compact serialization of at most [token.MaxLength] bytes,
//     with an accepted typ and alg, without crit and b64. Its header and its
//     claims have at most 1,024 values each, nested at most 64 levels deep, and
//     no JSON object in them has a duplicate name.
//   - iss is one of the issuers. exp is present, and exp, nbf and iat agree with the
//     clock.
//   - sub and aud are present and not empty; [Mapping].AllowMissingSubject
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
// Any other token is valid if the authorization server in [Config].Introspection
// that is among the issuers of the resource says that it is active, exp, nbf and iat
// in the answer agree with the clock, iss is the issuer if it is present, and aud is
// present (RFC 7662 §2.2). If there is no such server, it is invalid.
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
func (v *Verifier) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	return v.front.verify(ctx, raw, resource)
}

// AcceptsIssuer reports whether issuer is one of the configuration, byte for byte,
// or that of an accepted tenant. It implements [token.IssuerAcceptor].
func (v *Verifier) AcceptsIssuer(issuer string) bool { return v.front.router.accepts(issuer) }

// CheckResource returns an error if tokens that name no issuer could be of two
// authorization servers of the resource. It implements [token.ResourceChecker].
func (v *Verifier) CheckResource(resource *token.Resource) error {
	return v.front.router.check(resource)
}
