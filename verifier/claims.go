package verifier

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
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
	{"token_use", []string{"id"}},
}

// An issuerError says that iss is not the issuer.
type issuerError struct{ issuer, expected string }

func (e *issuerError) Error() string {
	switch {
	case e.issuer == "":
		return "iss is missing or empty"
	case e.issuer+"/" == e.expected, e.issuer == e.expected+"/":
		return fmt.Sprintf("iss is %s, expected %q, which differs by a slash", jwt.Quote(e.issuer), e.expected)
	default:
		return fmt.Sprintf("iss is %s, expected %q", jwt.Quote(e.issuer), e.expected)
	}
}

// A claimsPolicy states which claims a token must have, and which are kept.
type claimsPolicy struct {
	issuer              string
	leeway              time.Duration
	allowMissingSubject bool
	scopeClaims         []string
	keep                []string
}

// scan refuses a token of another issuer, or one that has expired, without
// decoding its claims. It believes nothing: check judges the claims again, after
// the signature.
func (p *claimsPolicy) scan(segment string, now time.Time) error {
	var buffer [1536]byte
	data, err := jwt.DecodeSegment(buffer[:], segment)
	if err != nil {
		return err
	}
	found := [...]jwt.Member{{Name: "iss"}, {Name: "exp"}, {Name: "nbf"}, {Name: "iat"}}
	if err := jwt.ScanObject(data, found[:]); err != nil {
		return err
	}
	if issuer := found[0].In(data); !jwt.IsStringOf(issuer, p.issuer) {
		return &issuerError{strings.Trim(string(issuer[:min(len(issuer), 2*jwt.MaxQuoted)]), `"`), p.issuer}
	}
	var period jwt.Period
	for i, at := range [...]*jwt.Date{&period.Expiry, &period.NotBefore, &period.IssuedAt} {
		if *at, err = jwt.ScanDate(found[1+i].Name, found[1+i].In(data)); err != nil {
			return err
		}
	}
	_, err = p.checkPeriod(period, now)
	return err
}

// check judges the claims of a token, and gathers the facts from them. typed says
// that its header names it an access token.
func (p *claimsPolicy) check(claims jwt.Object, typed bool, now time.Time) (*token.Info, error) {
	if err := p.checkIssuer(claims); err != nil {
		return nil, err
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
	info := &token.Info{Issuer: p.issuer, Expiry: expiry}
	if info.Subject, err = p.subject(claims); err != nil {
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
func (p *claimsPolicy) checkIssuer(claims jwt.Object) error {
	issuer, err := claims.RequiredText("iss")
	if err != nil {
		return err
	}
	if issuer != p.issuer {
		return &issuerError{issuer, p.issuer}
	}
	return nil
}

// checkPeriod returns the instant from which the token is refused. The leeway
// only widens the time in which it is accepted.
func (p *claimsPolicy) checkPeriod(period jwt.Period, now time.Time) (time.Time, error) {
	if !period.Expiry.Present {
		return time.Time{}, errors.New("exp is missing")
	}
	end := period.Expiry.At.Add(p.leeway)
	if !now.Before(end) {
		return time.Time{}, &periodError{"exp", period.Expiry.At, now, p.leeway}
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

// subject returns sub. An empty one is refused even where it may be missing.
func (p *claimsPolicy) subject(claims jwt.Object) (string, error) {
	if p.allowMissingSubject && !claims.Has("sub") {
		return "", nil
	}
	subject, err := claims.RequiredText("sub")
	if err != nil && !claims.Has("sub") {
		return "", fmt.Errorf("%w: see AllowMissingSubject", err)
	}
	return subject, err
}

// clientID returns client_id, which RFC 9068 §2.2 requires, or the claim that
// the issuer sends instead: azp (OpenID Connect Core §2; Keycloak, Auth0, Entra
// v2), cid (Okta), or appid (Entra v1). All of them may be absent. The last two
// are registered nowhere, so one that is not a string is some other claim.
func clientID(claims jwt.Object) (string, error) {
	for _, name := range [...]string{"client_id", "azp"} {
		if id, err := claims.Text(name); err != nil || id != "" {
			return id, err
		}
	}
	for _, name := range [...]string{"cid", "appid"} {
		if id, _ := claims[name].(string); id != "" {
			return id, nil
		}
	}
	return "", nil
}

func audience(claims jwt.Object) ([]string, error) {
	if !claims.Has("aud") {
		return nil, errors.New("aud is missing")
	}
	values, err := claims.Texts("aud", single)
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
func (p *claimsPolicy) scopes(claims jwt.Object) ([]string, error) {
	i := slices.IndexFunc(p.scopeClaims, claims.Has)
	if i < 0 {
		return nil, nil
	}
	values, err := claims.Texts(p.scopeClaims[i], splitScope)
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
func confirmation(claims jwt.Object) (map[string]any, error) {
	members, ok := claims["cnf"].(map[string]any)
	if !ok && claims.Has("cnf") {
		return nil, errors.New("cnf: must be a JSON object")
	}
	return members, nil
}

func (p *claimsPolicy) kept(claims jwt.Object) map[string]any {
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
