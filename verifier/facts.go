package verifier

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxActors bounds the chain of actors in a token.
const maxActors = 8

// gather fills in the facts that m finds in claims which are to be believed. They
// are those of a JWT, or of an answer about an opaque token.
func (m Mapping) gather(info *token.Info, claims jwt.Object) (err error) {
	if info.Subject, err = m.subject(claims); err != nil {
		return err
	}
	if info.ClientID, err = clientID(claims); err != nil {
		return err
	}
	if info.SessionID, err = claims.Text("sid"); err != nil {
		return err
	}
	if info.Audience, err = m.audience(claims, info.ClientID); err != nil {
		return err
	}
	if info.Scopes, err = m.scopes(claims); err != nil {
		return err
	}
	if info.Confirmation, err = confirmation(claims); err != nil {
		return err
	}
	if info.Actor, err = actor(claims, 0); err != nil {
		return err
	}
	info.Party = m.party(claims, info)
	// A rule that needs one of the two is not met without it, so one that cannot be
	// read is as good as none.
	info.ACR, _ = claims["acr"].(string)
	if at, err := claims.Date("auth_time"); err == nil {
		info.AuthTime = at.At
	}
	info.Claims = m.kept(claims)
	return nil
}

// subject returns sub. An empty one is refused even where it may be missing.
func (m Mapping) subject(claims jwt.Object) (string, error) {
	if m.AllowMissingSubject && !claims.Has("sub") {
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

// audience returns aud, and the resources that its values stand for.
func (m Mapping) audience(claims jwt.Object, client string) ([]string, error) {
	var values []string
	switch {
	case claims.Has("aud"):
		var err error
		if values, err = claims.Texts("aud", single); err != nil {
			return nil, err
		}
	case !m.AudienceFromClientID:
		return nil, errors.New("aud is missing")
	default:
		values = []string{client}
	}
	if len(values) == 0 || slices.Contains(values, "") {
		return nil, errors.New("aud is empty")
	}
	for _, value := range values {
		if resource, ok := m.Audiences[value]; ok {
			values = append(values, resource)
		}
	}
	return values, nil
}

func single(value string) []string { return []string{value} }

// scopes returns the scopes of a token in the names of the policy. Values that are
// not scope-tokens (RFC 6749 §3.3) are dropped: no rule can require them, and one
// that contains a space would become two scopes when joined.
func (m Mapping) scopes(claims jwt.Object) ([]string, error) {
	var all []string
	for i := range m.Scopes {
		scopes, found, err := m.Scopes[i].scopes(claims)
		if err != nil {
			return nil, err
		}
		all = append(all, scopes...)
		if found && !m.AddScopes {
			break
		}
	}
	return slices.DeleteFunc(all, func(scope string) bool {
		return !wwwauth.ValidScopeToken(scope) || m.ScopeLimit != nil && !slices.Contains(m.ScopeLimit, scope)
	}), nil
}

// scopes returns the scopes in a claim, and whether the token has the claim.
func (c *ScopeClaim) scopes(claims jwt.Object) (scopes []string, found bool, err error) {
	last := len(c.Path) - 1
	for _, name := range c.Path[:last] {
		// What is no object has no members, as if the claim were absent.
		claims, _ = claims[name].(map[string]any)
	}
	name := c.Path[last]
	if !claims.Has(name) {
		return nil, false, nil
	}
	var values []string
	if members, ok := claims[name].(map[string]any); ok && c.Keys {
		values = slices.Sorted(maps.Keys(members))
	} else if values, err = claims.Texts(name, splitScope); err != nil {
		return nil, true, err
	}
	if c.Values == nil && c.Prefix == "" {
		return values, true, nil
	}
	for _, value := range values {
		switch {
		case c.Values != nil:
			scopes = append(scopes, c.Values[value]...)
		case value != "":
			scopes = append(scopes, c.Prefix+value)
		}
	}
	return scopes, true, nil
}

func splitScope(value string) []string { return strings.Split(value, " ") }

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

// actor returns the act claim (RFC 8693 §4.1). It is refused if it cannot be read,
// because a token that is delegated would otherwise pass for one that is not.
func actor(claims jwt.Object, depth int) (*token.Actor, error) {
	if !claims.Has("act") {
		return nil, nil //nolint:nilnil // There is none.
	}
	value, ok := claims["act"].(map[string]any)
	if !ok {
		return nil, errors.New("act: must be a JSON object")
	}
	if depth == maxActors {
		return nil, fmt.Errorf("act: more than %d actors", maxActors)
	}
	act := jwt.Object(value)
	found := new(token.Actor)
	for name, field := range map[string]*string{"iss": &found.Issuer, "sub": &found.Subject} {
		text, err := act.Text(name)
		if err != nil {
			return nil, fmt.Errorf("act: %w", err)
		}
		*field = text
	}
	var err error
	if found.ClientID, err = clientID(act); err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	if found.Subject == "" && found.ClientID == "" {
		return nil, errors.New("act: names no actor")
	}
	found.Actor, err = actor(act, depth+1)
	return found, err
}

// party returns whom a token speaks for.
func (m Mapping) party(claims jwt.Object, info *token.Info) token.Party {
	if m.Client.isZero() {
		switch {
		case info.Subject == "" || info.ClientID == "":
			return token.PartyUnknown
		case info.Subject == info.ClientID:
			return token.PartyClient
		default:
			return token.PartyUser
		}
	}
	value, ok := claims[m.Client.Claim].(string)
	switch {
	case !ok || value == "":
		return token.PartyUnknown
	case m.Client.marks(value):
		return token.PartyClient
	default:
		return token.PartyUser
	}
}

func (m ClientMark) marks(value string) bool {
	return m.Value != "" && value == m.Value ||
		m.Prefix != "" && strings.HasPrefix(value, m.Prefix) ||
		m.Suffix != "" && strings.HasSuffix(value, m.Suffix)
}

func (m Mapping) kept(claims jwt.Object) map[string]any {
	var kept map[string]any
	for _, name := range m.Claims {
		value, ok := claims[name]
		if !ok {
			continue
		}
		if kept == nil {
			kept = make(map[string]any, len(m.Claims))
		}
		kept[name] = value
	}
	return kept
}
