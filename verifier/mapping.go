package verifier

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// A Mapping states how the claims of an issuer become the facts of a
// [github.com/drawbridge-rpc/drawbridge/token.Info]. The zero Mapping reads the
// claims of RFC 9068. The functions that are named after providers, such as
// [Keycloak], return one for each.
//
// The client is the first of client_id, azp, cid and appid that a token has.
type Mapping struct {
	// Scopes are the claims that may hold scopes, in order. Only the first one that
	// a token has counts. Nil means "scope" (RFC 9068 §2.2.3), then "scp" (Entra,
	// Okta).
	Scopes []ScopeClaim

	// AddScopes makes every claim in Scopes count that a token has. What the client
	// was granted then no longer limits it: if Scopes has a claim with the user's
	// roles, every client of that user has all of them, whatever the user consented
	// to.
	AddScopes bool

	// ScopeLimit are the scopes that a token of the issuer can have at most,
	// whatever it says. It is compared with the names that the policy knows, before
	// implications: a scope that is not in the list is dropped, and with it all that
	// it implies. A scope that a listed one implies, and that tokens may have by
	// itself, has to be listed, too. Nil means no limit.
	ScopeLimit []string

	// Audiences are the resources that further values of aud stand for: the keys are
	// values of aud, such as "api://orders", and the values are identifiers of
	// resources. A token with the aud is then one for the resource. Unlike Audiences
	// of a resource, this holds for the tokens of this issuer alone.
	Audiences map[string]string

	// AudienceFromClientID makes the client the audience of a token without aud,
	// for providers that have none (Amazon Cognito). The client then has to be among
	// the Audiences of the resource, or of this Mapping. Such tokens are not bound
	// to a resource (RFC 8707): whatever another server gets of this client's tokens
	// it can use here.
	AudienceFromClientID bool

	// AllowMissingSubject also accepts tokens without a sub claim, which RFC 9068
	// §2.2 requires. Keycloak leaves it out since version 25 unless the client has
	// the scope "basic", and some providers leave it out for clients that act for
	// themselves. By default such a token is invalid.
	//
	// Info.Subject is then empty, and the caller is known by its client alone: all
	// users of one client are one caller. Records and rules cannot distinguish them,
	// and the sessions of an MCP server belong to the issuer and the client. Prefer
	// to make the issuer send sub. A sub claim that is present must be a string that
	// is not empty in either case.
	AllowMissingSubject bool

	// Client is what marks a token that a client got for itself. Any other token in
	// which the mark can be read is one of a user. The zero ClientMark is that sub is
	// the client (RFC 9068 §2.2).
	Client ClientMark

	// Claims are the names of further top-level claims to keep in
	// [token.Info.Claims], such as "tenant" or "realm_access". A name with a dot is
	// an error, unless it is a URI such as "https://example.com/org".
	Claims []string
}

// A ScopeClaim is a claim that holds scopes, or roles that stand for scopes. It is
// a string, whose values are separated by spaces, or an array of strings.
type ScopeClaim struct {
	// Path is the name of the top-level claim, followed by the names of the members
	// inside of it: {"realm_access", "roles"}. Required.
	Path []string
	// Keys makes the names of the members of a JSON object the values, as for the
	// roles of ZITADEL.
	Keys bool
	// Values are the scopes of the policy that each value stands for, such as
	// {"orders-admin": {"orders:write"}}. If it is not nil, a value that it does not
	// have counts for nothing, which is right for roles: whoever may create a role
	// could otherwise grant any scope.
	Values map[string][]string
	// Prefix is put before each value that is not in Values. Entra has
	// "Files.Read" in its tokens where clients have to ask for
	// "api://files/Files.Read", which is what the policy and hence the challenge
	// name.
	Prefix string
}

// A ClientMark marks the tokens that a client got for itself. A token has the mark
// if the claim is a string that is equal to Value, begins with Prefix, or ends with
// Suffix; exactly one of the three is set. If the claim is absent or no string, it
// cannot be told whom the token speaks for, and a rule that asks for a user is not
// met. The zero ClientMark compares sub with the client.
type ClientMark struct {
	// Claim is the name of a top-level claim.
	Claim string
	// Value, Prefix and Suffix are what it is compared with.
	Value, Prefix, Suffix string
}

func (m ClientMark) isZero() bool { return m == ClientMark{} }

// defaultScopes are those of a nil [Mapping].Scopes.
var defaultScopes = []ScopeClaim{{Path: []string{"scope"}}, {Path: []string{"scp"}}}

// check adds the faults of m.
func (m Mapping) check(faults *fault.List, place string) {
	if m.Scopes != nil && len(m.Scopes) == 0 {
		faults.Add(place+"Scopes", "", "is empty and would find no scope in any token", "leave it nil for the default")
	}
	for i := range m.Scopes {
		m.Scopes[i].check(faults, fmt.Sprintf("%sScopes[%d]", place, i))
	}
	if m.AddScopes && len(m.Scopes) < 2 {
		faults.Add(place+"AddScopes", "", "is set, and there are no claims in Scopes to add up", "")
	}
	if m.ScopeLimit != nil && len(m.ScopeLimit) == 0 {
		faults.Add(place+"ScopeLimit", "", "is empty and would leave no scope in any token", "leave it nil for no limit")
	}
	checkScopes(faults, place+"ScopeLimit", m.ScopeLimit)
	for _, from := range slices.Sorted(maps.Keys(m.Audiences)) {
		if from == "" || m.Audiences[from] == "" {
			faults.Add(fmt.Sprintf("%sAudiences[%q]", place, from), m.Audiences[from], "has an empty side", "")
		}
	}
	m.Client.check(faults, place+"Client")
	checkNames(faults, place+"Claims", m.Claims)
}

func (c *ScopeClaim) check(faults *fault.List, place string) {
	if len(c.Path) == 0 {
		faults.Add(place+".Path", "", "is required", "")
	}
	checkNames(faults, place+".Path", c.Path[:min(len(c.Path), 1)])
	for i, name := range c.Path[min(len(c.Path), 1):] {
		if name == "" {
			faults.Add(fmt.Sprintf("%s.Path[%d]", place, i+1), "", "is empty", "")
		}
	}
	if c.Values != nil && len(c.Values) == 0 {
		faults.Add(place+".Values", "", "is empty and would drop every value", "leave it nil if the values are scopes")
	}
	for _, value := range slices.Sorted(maps.Keys(c.Values)) {
		checkScopes(faults, fmt.Sprintf("%s.Values[%q]", place, value), c.Values[value])
		if len(c.Values[value]) == 0 {
			faults.Add(fmt.Sprintf("%s.Values[%q]", place, value), "", "stands for no scope", "remove it")
		}
	}
	switch {
	case c.Prefix == "":
	case c.Values != nil:
		faults.Add(place+".Prefix", c.Prefix, "is set beside Values, which drop what they do not have", "write the whole names into Values")
	case !wwwauth.ValidScopeToken(c.Prefix):
		faults.Add(place+".Prefix", c.Prefix, "has a character that a scope cannot have (RFC 6749 §3.3)", "")
	}
}

func (m ClientMark) check(faults *fault.List, place string) {
	if m.isZero() {
		return
	}
	checkNames(faults, place+".Claim", []string{m.Claim})
	set := 0
	for _, text := range [...]string{m.Value, m.Prefix, m.Suffix} {
		if text != "" {
			set++
		}
	}
	if set != 1 {
		faults.Add(place, m.Claim, "needs exactly one of Value, Prefix and Suffix", "")
	}
}

func checkScopes(faults *fault.List, place string, scopes []string) {
	for i, scope := range scopes {
		if !wwwauth.ValidScopeToken(scope) {
			faults.Add(fmt.Sprintf("%s[%d]", place, i), scope, "is not a scope (RFC 6749 §3.3)", "")
		}
	}
}

// checkNames reports what cannot be the name of a top-level claim. A dot in a name
// that is not a URI is taken for a path into a claim: no claim has such a name in
// practice, and it would silently find nothing.
func checkNames(faults *fault.List, field string, names []string) {
	for i, name := range names {
		place := fmt.Sprintf("%s[%d]", field, i)
		switch top, _, isPath := strings.Cut(name, "."); {
		case name == "":
			faults.Add(place, "", "is empty", "")
		case isPath && !strings.Contains(name, ":"):
			faults.Add(place, name, "has a dot, as a path into a claim, but is the name of a top-level claim",
				fmt.Sprintf("name a top-level claim, such as %q; the Path of a ScopeClaim has an element for each name; only a URI may contain a dot", top))
		}
	}
}

// copied returns m with its defaults, sharing no memory with it.
func (m Mapping) copied() Mapping {
	c := m
	if c.Scopes == nil {
		c.Scopes = defaultScopes
	}
	c.Scopes = slices.Clone(c.Scopes)
	for i := range c.Scopes {
		s := &c.Scopes[i]
		s.Path = slices.Clone(s.Path)
		s.Values = maps.Clone(s.Values)
		for value, scopes := range s.Values {
			s.Values[value] = slices.Clone(scopes)
		}
	}
	c.ScopeLimit = slices.Clone(c.ScopeLimit)
	c.Audiences = maps.Clone(c.Audiences)
	c.Claims = slices.Clone(c.Claims)
	return c
}
