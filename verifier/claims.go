package verifier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// foreignClaims are claims that only tokens of other kinds have. If a provider
// gives all its tokens the same typ, issuer and key, nothing else distinguishes
// them (RFC 8725 §2.8).
var foreignClaims = []struct{ name, kind string }{
	{"nonce", "an ID token"},     // OpenID Connect Core §2
	{"at_hash", "an ID token"},   // OpenID Connect Core §3.1.3.6
	{"c_hash", "an ID token"},    // OpenID Connect Core §3.3.2.11
	{"s_hash", "an ID token"},    // FAPI 1.0 Part 2 §5.1
	{"events", "a logout token"}, // OpenID Connect Back-Channel Logout §2.4
}

// foreignUses are the lower-case values of claims in which a provider names the
// kind of a token: typ is Keycloak's, token_use Amazon Cognito's.
var foreignUses = []struct {
	name string
	uses []string
}{
	{"typ", []string{"id", "refresh", "offline", "logout"}},
	{"token_use", []string{"id"}},
}

// A claimsPolicy states which claims a token must have, and which are kept.
type claimsPolicy struct {
	issuer      string
	leeway      time.Duration
	scopeClaims []string
	keep        []string
}

// check refuses a token that can be refused without its signature, and gathers
// the facts from its claims. The facts must not be used before the signature
// has been checked.
func (p *claimsPolicy) check(claims object, now time.Time) (*token.Info, error) {
	if err := p.checkIssuer(claims); err != nil {
		return nil, err
	}
	expiry, err := p.checkTime(claims, now)
	if err != nil {
		return nil, err
	}
	if err := checkKind(claims); err != nil {
		return nil, err
	}
	info := &token.Info{Issuer: p.issuer, Expiry: expiry}
	if info.Subject, err = claims.requiredText("sub"); err != nil {
		return nil, err
	}
	if info.ClientID, err = clientID(claims); err != nil {
		return nil, err
	}
	if info.Audience, err = audience(claims); err != nil {
		return nil, err
	}
	if info.Scopes, err = p.scopes(claims); err != nil {
		return nil, err
	}
	if info.Confirmation, err = confirmation(claims); err != nil {
		return nil, err
	}
	info.Claims = p.kept(claims)
	return info, nil
}

// checkIssuer compares iss byte by byte, without normalization (RFC 9207 §2.4,
// RFC 9068 §4).
func (p *claimsPolicy) checkIssuer(claims object) error {
	issuer, err := claims.requiredText("iss")
	if err != nil {
		return err
	}
	if issuer != p.issuer {
		return fmt.Errorf("iss is %s, expected %q", quote(issuer), p.issuer)
	}
	return nil
}

// checkTime returns the instant from which the token is refused. The leeway
// only widens the time in which it is accepted.
func (p *claimsPolicy) checkTime(claims object, now time.Time) (time.Time, error) {
	expiry, present, err := claims.instant("exp")
	if err != nil {
		return time.Time{}, err
	}
	if !present {
		return time.Time{}, errors.New("exp is missing")
	}
	end := expiry.Add(p.leeway)
	if !now.Before(end) {
		return time.Time{}, fmt.Errorf("expired at %v", expiry)
	}
	for _, name := range [...]string{"nbf", "iat"} {
		start, present, err := claims.instant(name)
		if err != nil {
			return time.Time{}, err
		}
		if present && now.Add(p.leeway).Before(start) {
			return time.Time{}, fmt.Errorf("%s is in the future: %v", name, start)
		}
	}
	return end, nil
}

// checkKind refuses tokens that are not access tokens.
func checkKind(claims object) error {
	for _, foreign := range foreignClaims {
		if claims.has(foreign.name) {
			return fmt.Errorf("has the claim %s, as %s has", foreign.name, foreign.kind)
		}
	}
	for _, foreign := range foreignUses {
		if use, ok := claims[foreign.name].(string); ok && slices.Contains(foreign.uses, strings.ToLower(use)) {
			return fmt.Errorf("the claim %s is %s", foreign.name, quote(use))
		}
	}
	return nil
}

// clientID returns client_id, which RFC 9068 §2.2 requires, or azp, which
// Keycloak and Entra send instead. No decision depends on it, so both may be
// absent.
func clientID(claims object) (string, error) {
	id, err := claims.text("client_id")
	if err != nil || id != "" {
		return id, err
	}
	return claims.text("azp")
}

func audience(claims object) ([]string, error) {
	if !claims.has("aud") {
		return nil, errors.New("aud is missing")
	}
	values, err := claims.texts("aud", single)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 || slices.Contains(values, "") {
		return nil, errors.New("aud is empty")
	}
	return values, nil
}

func single(value string) []string { return []string{value} }

// scopes returns the scopes in the first scope claim that the token has.
// Elements that are not scope-tokens (RFC 6749 §3.3) are dropped: no rule can
// require them, and one that contains a space would become two scopes when
// joined.
func (p *claimsPolicy) scopes(claims object) ([]string, error) {
	i := slices.IndexFunc(p.scopeClaims, claims.has)
	if i < 0 {
		return nil, nil
	}
	values, err := claims.texts(p.scopeClaims[i], splitScope)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(values, isNotScope), nil
}

func splitScope(value string) []string { return strings.Split(value, " ") }

func isNotScope(value string) bool { return !wwwauth.ValidScopeToken(value) }

// confirmation returns the cnf claim (RFC 7800 §3.1). It is not nil if the
// token has the claim, even an empty one: a token whose binding is ignored
// becomes a bearer token again.
func confirmation(claims object) (map[string]any, error) {
	members, ok := claims["cnf"].(map[string]any)
	if !ok && claims.has("cnf") {
		return nil, errors.New("cnf: must be a JSON object")
	}
	return members, nil
}

func (p *claimsPolicy) kept(claims object) map[string]any {
	var kept map[string]any
	for _, name := range p.keep {
		value, ok := claims[name]
		if !ok {
			continue
		}
		if kept == nil {
			kept = make(map[string]any, len(p.keep))
		}
		kept[name] = value
	}
	return kept
}
