package policy

import (
	"slices"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// authTimeLeeway is how far ahead of this machine's clock an authentication may
// lie, which then counts as one of this instant. It is the greatest leeway of a
// verifier, which has refused a token by its iat claim if the clocks differ by more
// than the server wants. Without any bound, an auth_time in milliseconds would stay
// recent for ever.
const authTimeLeeway = 5 * time.Minute

// authentication is what a rule asks of the authentication of the user (RFC 9470).
type authentication struct {
	acrValues []string       // empty asks for nothing
	maxAge    *time.Duration // nil asks for nothing
}

// satisfiedBy reports whether the user of a token authenticated as a rule asks. A
// zero now means the time of the clock, which is read only if it matters.
func (a *authentication) satisfiedBy(info *token.Info, now time.Time) bool {
	switch {
	case info.Party == token.PartyClient:
		// There is no user. Some authorization servers put an acr claim into every
		// token, such as "1" for no class in particular.
		return false
	case len(a.acrValues) > 0 && !slices.Contains(a.acrValues, info.ACR):
		return false
	case a.maxAge == nil:
		return true
	case info.AuthTime.IsZero():
		return false
	}
	if now.IsZero() {
		now = time.Now()
	}
	age := now.Sub(info.AuthTime)
	return -authTimeLeeway <= age && age <= *a.maxAge
}

// ChallengeAuthentication returns the authentication that a challenge asks for (RFC
// 9470 §3): [Rule.ACRValues] and [Rule.MaxAge], nil where the rule has none. The
// results are shared, and must not be changed.
func (r *Requirement) ChallengeAuthentication() (acrValues []string, maxAge *time.Duration) {
	if r.authentication == nil {
		return nil, nil
	}
	return r.authentication.acrValues, r.authentication.maxAge
}

// JoinAuthentication adds [Requirement.ChallengeAuthentication] to what another
// requirement asks for, so that one authentication of the user meets both: of
// acrValues, it keeps those that r accepts as well, and of the ages the smaller. If
// there is no class that both accept, no token meets both, and acrValues stay. It
// does not change its arguments.
func (r *Requirement) JoinAuthentication(acrValues []string, maxAge *time.Duration) ([]string, *time.Duration) {
	ownValues, ownAge := r.ChallengeAuthentication()
	switch {
	case len(acrValues) == 0:
		acrValues = ownValues
	case len(ownValues) > 0:
		isForeign := func(value string) bool { return !slices.Contains(ownValues, value) }
		if both := slices.DeleteFunc(slices.Clone(acrValues), isForeign); len(both) > 0 {
			acrValues = both
		}
	}
	if maxAge == nil || ownAge != nil && *ownAge < *maxAge {
		maxAge = ownAge
	}
	return acrValues, maxAge
}

// authentication compiles ACRValues and MaxAge. It returns nil if a rule has
// neither.
func (c *compiler) authentication(where string, rule Rule) *authentication {
	if !rule.hasAuthentication() {
		return nil
	}
	for i, value := range rule.ACRValues {
		switch {
		case value == "":
			c.fault(where+".ACRValues", "", "contains an empty value", "")
		case !wwwauth.ValidScopeToken(value):
			c.fault(where+".ACRValues", value,
				"cannot stand in a challenge: RFC 9470 §3 and RFC 6750 §3 allow visible ASCII without space, quote and backslash", "")
		case slices.Contains(rule.ACRValues[:i], value):
			c.fault(where+".ACRValues", value, "is listed twice", "")
		}
	}
	switch {
	case rule.MaxAge < 0:
		c.fault(where+".MaxAge", rule.MaxAge.String(), "is negative", "")
	case rule.MaxAge%time.Second != 0:
		c.fault(where+".MaxAge", rule.MaxAge.String(), "is not in whole seconds, which RFC 9470 §3 asks for", "")
	}
	if rule.Party == token.PartyClient {
		c.fault(where, "", "asks for a token of a client and for the authentication of a user, so every call would be denied",
			"remove ACRValues and MaxAge, or Party")
	}
	compiled := &authentication{acrValues: append([]string(nil), rule.ACRValues...)}
	if rule.MaxAge != 0 {
		compiled.maxAge = new(rule.MaxAge)
	}
	return compiled
}
