package verifier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// foreignClaims are claims that only tokens of other kinds have. If a provider
// gives all its tokens the same typ, issuer and key, nothing else distinguishes
// them (RFC 8725 §2.8). They are no reason against a token whose typ says that it
// is an access token (RFC 8725 §3.11, RFC 7519 §4).
var foreignClaims = []struct{ name, kind string }{
	{"at_hash", "an ID token"},   // OpenID Connect Core §3.1.3.6
	{"c_hash", "an ID token"},    // OpenID Connect Core §3.3.2.11
	{"s_hash", "an ID token"},    // FAPI 1.0 Part 2 §5.1
	{"events", "a logout token"}, // OpenID Connect Back-Channel Logout §2.4
}

// foreignUses are the lower-case values of claims in which a provider itself
// names the kind of a token: typ is Keycloak's, token_use Amazon Cognito's.
var foreignUses = []struct {
	name string
	uses []string
}{
	{"typ", []string{"id", "refresh", "offline", "logout"}},
	{"token_use", []string{"id", "refresh_token"}}, // and hydra's, in its answers
}

// An issuerError says that iss is none of the issuers.
type issuerError struct {
	issuer   string
	expected []string
}

func (e *issuerError) Error() string {
	if e.issuer == "" {
		return "iss is missing or empty"
	}
	for _, expected := range e.expected {
		if e.issuer+"/" == expected || e.issuer == expected+"/" {
			return fmt.Sprintf("iss is %s, expected %q, which differs by a slash", jwt.Quote(e.issuer), expected)
		}
	}
	if len(e.expected) == 1 {
		return fmt.Sprintf("iss is %s, expected %q", jwt.Quote(e.issuer), e.expected[0])
	}
	return fmt.Sprintf("iss is %s, which is none of the %d issuers", jwt.Quote(e.issuer), len(e.expected))
}

// A claimsPolicy states which claims the tokens of an issuer must have, and how they
// become facts.
type claimsPolicy struct {
	issuer  string
	leeway  time.Duration
	mapping *Mapping
}

// check judges the claims of a token, and gathers the facts from them. typed says
// that its header names it an access token.
func (p *claimsPolicy) check(claims jwt.Object, typed bool, now time.Time) (*token.Info, error) {
	issuer, err := claims.RequiredText("iss")
	if err != nil {
		return nil, err
	}
	// Compared byte by byte, without normalization (RFC 9207 §2.4, RFC 9068 §4).
	if issuer != p.issuer {
		return nil, &issuerError{issuer, []string{p.issuer}}
	}
	period, err := claims.Period()
	if err != nil {
		return nil, err
	}
	expiry, err := p.checkPeriod(period, now)
	if err != nil {
		return nil, err
	}
	if err := checkKind(claims, typed); err != nil {
		return nil, err
	}
	info := &token.Info{Issuer: p.issuer, Expiry: expiry, IssuedAt: period.IssuedAt.At}
	if err := p.mapping.gather(info, claims); err != nil {
		return nil, err
	}
	return info, nil
}

// checkPeriod returns the instant from which the token is refused. The leeway
// only widens the time in which it is accepted.
func (p *claimsPolicy) checkPeriod(period jwt.Period, now time.Time) (time.Time, error) {
	if !period.Expiry.Present {
		return time.Time{}, errors.New("exp is missing")
	}
	return p.checkDates(period, now)
}

// checkDates is checkPeriod for tokens that may have no exp. They do not expire,
// and the result is zero.
func (p *claimsPolicy) checkDates(period jwt.Period, now time.Time) (end time.Time, err error) {
	if period.Expiry.Present {
		end = period.Expiry.At.Add(p.leeway)
		if !now.Before(end) {
			return time.Time{}, &periodError{"exp", period.Expiry.At, now, p.leeway}
		}
	}
	latest := now.Add(p.leeway)
	if period.NotBefore.Present && latest.Before(period.NotBefore.At) {
		return time.Time{}, &periodError{"nbf", period.NotBefore.At, now, p.leeway}
	}
	if period.IssuedAt.Present && latest.Before(period.IssuedAt.At) {
		return time.Time{}, &periodError{"iat", period.IssuedAt.At, now, p.leeway}
	}
	return end, nil
}

// checkKind refuses tokens that are not access tokens.
func checkKind(claims jwt.Object, typed bool) error {
	for _, foreign := range foreignUses {
		if use, ok := claims[foreign.name].(string); ok && slices.Contains(foreign.uses, strings.ToLower(use)) {
			return fmt.Errorf("the claim %s is %s, so it is not an access token", foreign.name, jwt.Quote(use))
		}
	}
	if typed {
		return nil
	}
	for _, foreign := range foreignClaims {
		if claims.Has(foreign.name) {
			return fmt.Errorf("has the claim %s, as %s has", foreign.name, foreign.kind)
		}
	}
	// Keycloak until version 24 copies the nonce of an authorization request into
	// the access token, and names the kind of each token.
	if claims.Has("nonce") && claims["typ"] != "Bearer" {
		return errors.New("has the claim nonce, as an ID token has, and its claim typ is not Bearer")
	}
	return nil
}
