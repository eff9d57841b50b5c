package verifier_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func mapped(m verifier.Mapping) verifier.Config {
	return verifier.Config{JWT: []verifier.JWTConfig{{Mapping: m}}}
}

// TestMappedScopes: the scopes of a token are those of the first place that it has, in the
// names of the policy, and no more than the limit.
func TestMappedScopes(t *testing.T) {
	type object = map[string]any
	realm := verifier.ScopeClaim{Path: []string{"realm_access", "roles"}, Values: map[string][]string{"orders-admin": {"orders:write", "orders:read"}}}
	scope := verifier.ScopeClaim{Path: []string{"scope"}}
	keys := verifier.ScopeClaim{Path: []string{"urn:zitadel:iam:org:project:roles"}, Keys: true, Values: map[string][]string{"admin": {"orders:write"}}}
	prefix := verifier.ScopeClaim{Path: []string{"scp"}, Prefix: "api://files/"}
	for _, row := range []struct {
		name    string
		mapping verifier.Mapping
		claims  object
		want    []string
	}{
		{"no claim", verifier.Mapping{}, object{"scope": authtest.Omit}, nil},
		{"scope before scp", verifier.Mapping{}, object{"scope": "a b", "scp": []string{"c"}}, []string{"a", "b"}},
		{"scp alone", verifier.Mapping{}, object{"scope": authtest.Omit, "scp": []string{"c", "d"}}, []string{"c", "d"}},
		{"an empty scope is one", verifier.Mapping{}, object{"scope": "", "scp": []string{"c"}}, nil},
		{"roles in a claim", verifier.Mapping{Scopes: []verifier.ScopeClaim{realm}}, object{"realm_access": object{"roles": []string{"orders-admin", "other", "orders:delete"}}}, []string{"orders:write", "orders:read"}},
		{"roles as a string", verifier.Mapping{Scopes: []verifier.ScopeClaim{realm}}, object{"realm_access": object{"roles": "x orders-admin"}}, []string{"orders:write", "orders:read"}},
		{"a path that leads nowhere", verifier.Mapping{Scopes: []verifier.ScopeClaim{realm, scope}}, object{"realm_access": []string{"roles"}, "scope": "a"}, []string{"a"}},
		{"a client with a dot", verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{"resource_access", "api.example.com", "roles"}}}}, object{"resource_access": object{"api.example.com": object{"roles": []string{"a"}}}}, []string{"a"}},
		{"roles after scope count in tokens without scope", verifier.Mapping{Scopes: []verifier.ScopeClaim{scope, realm}}, object{"scope": authtest.Omit, "realm_access": object{"roles": []string{"orders-admin"}}}, []string{"orders:write", "orders:read"}},
		{"roles after scope do not count beside scope", verifier.Mapping{Scopes: []verifier.ScopeClaim{scope, realm}}, object{"scope": "a", "realm_access": object{"roles": []string{"orders-admin"}}}, []string{"a"}},
		{"added up", verifier.Mapping{Scopes: []verifier.ScopeClaim{scope, realm}, AddScopes: true}, object{"scope": "a", "realm_access": object{"roles": []string{"orders-admin"}}}, []string{"a", "orders:write", "orders:read"}},
		{"the keys of a map", verifier.Mapping{Scopes: []verifier.ScopeClaim{keys}}, object{"urn:zitadel:iam:org:project:roles": object{"admin": object{"1": "org"}, "guest": object{}}}, []string{"orders:write"}},
		{"an array where a map may be", verifier.Mapping{Scopes: []verifier.ScopeClaim{keys}}, object{"urn:zitadel:iam:org:project:roles": []string{"admin"}}, []string{"orders:write"}},
		{"a prefix", verifier.Mapping{Scopes: []verifier.ScopeClaim{prefix}}, object{"scp": "Files.Read Files.Write"}, []string{"api://files/Files.Read", "api://files/Files.Write"}},
		{"a prefix alone is no scope", verifier.Mapping{Scopes: []verifier.ScopeClaim{prefix}}, object{"scp": ""}, nil},
		{"a limit", verifier.Mapping{ScopeLimit: []string{"orders:read"}}, object{"scope": "orders:read orders:write admin"}, []string{"orders:read"}},
		{"a limit of roles", verifier.Mapping{Scopes: []verifier.ScopeClaim{realm}, ScopeLimit: []string{"orders:read"}}, object{"realm_access": object{"roles": []string{"orders-admin"}}}, []string{"orders:read"}},
		{"no scope-tokens", verifier.Mapping{}, object{"scope": authtest.Omit, "scp": []string{"a b", "", "c\"", "ok"}}, []string{"ok"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, mapped(row.mapping))
			info, err := f.verify(t, f.mint(func(t *authtest.Token) { t.Claims = row.claims }))
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Scopes) != len(row.want) || len(row.want) > 0 && !slices.Equal(info.Scopes, row.want) {
				t.Errorf("got %q, want %q", info.Scopes, row.want)
			}
		})
	}
	for _, value := range []any{1, true, nil, object{"admin": 1}, []any{"a", 1}, []any{[]any{"a"}}} {
		f := newFixture(t, mapped(verifier.Mapping{Scopes: []verifier.ScopeClaim{realm}}))
		f.refuses(t, f.mint(claim("realm_access", object{"roles": value})), token.ErrInvalid)
	}
}

// TestAudiences: the audience of a provider stands for a resource.
func TestAudiences(t *testing.T) {
	audiences := map[string]string{"api://orders": api, "client-1": "https://shop.example.com"}
	for _, row := range []struct {
		name    string
		mapping verifier.Mapping
		aud     any
		want    []string // nil for an invalid token
	}{
		{"R8725-3.9 as it is", verifier.Mapping{}, "api://orders", []string{"api://orders"}},
		{"R8725-3.9 mapped", verifier.Mapping{Audiences: audiences}, "api://orders", []string{"api://orders", api}},
		{"R8725-3.9 one of several", verifier.Mapping{Audiences: audiences}, []string{"x", "api://orders"}, []string{"x", "api://orders", api}},
		{"R8725-3.9 another", verifier.Mapping{Audiences: audiences}, "api://Orders", []string{"api://Orders"}},
		{"R8725-3.9 none", verifier.Mapping{Audiences: audiences}, authtest.Omit, nil},
		{"R8725-3.9 the client in place of none", verifier.Mapping{Audiences: audiences, AudienceFromClientID: true}, authtest.Omit, []string{"client-1", "https://shop.example.com"}},
		{"R8725-3.9 the client beside one", verifier.Mapping{AudienceFromClientID: true}, "x", []string{"x"}},
		{"R8725-3.9 the client beside an empty one", verifier.Mapping{AudienceFromClientID: true}, []string{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, mapped(row.mapping))
			info, err := f.verify(t, f.mint(claim("aud", row.aud)))
			if (err == nil) != (row.want != nil) || err == nil && !slices.Equal(info.Audience, row.want) {
				t.Errorf("got %+v and %v, want %q", info, err, row.want)
			}
		})
	}
	f := newFixture(t, mapped(verifier.Mapping{AudienceFromClientID: true}))
	f.refuses(t, f.mint(claim("aud", authtest.Omit), claim("client_id", authtest.Omit)), token.ErrInvalid)
}

// TestParty: whom a token speaks for, as its issuer marks it.
func TestParty(t *testing.T) {
	name := "preferred_username"
	for _, row := range []struct {
		name   string
		mark   verifier.ClientMark
		claims map[string]any
		want   token.Party
	}{
		{"R8693-4.1 sub and client differ", verifier.ClientMark{}, nil, token.PartyUser},
		{"R8693-4.1 sub is the client", verifier.ClientMark{}, map[string]any{"sub": "client-1"}, token.PartyClient},
		{"R8693-4.1 no client", verifier.ClientMark{}, map[string]any{"client_id": authtest.Omit}, token.PartyUnknown},
		{"R8693-4.1 no subject", verifier.ClientMark{}, map[string]any{"sub": authtest.Omit}, token.PartyUnknown},
		{"R8693-4.1 a value", verifier.ClientMark{Claim: "idtyp", Value: "app"}, map[string]any{"idtyp": "app"}, token.PartyClient},
		{"R8693-4.1 another value", verifier.ClientMark{Claim: "idtyp", Value: "app"}, map[string]any{"idtyp": "user", "sub": "client-1"}, token.PartyUser},
		{"R8693-4.1 a value that is longer", verifier.ClientMark{Claim: "idtyp", Value: "app"}, map[string]any{"idtyp": "apps"}, token.PartyUser},
		{"R8693-4.1 no value", verifier.ClientMark{Claim: "idtyp", Value: "app"}, nil, token.PartyUnknown},
		{"R8693-4.1 an empty value", verifier.ClientMark{Claim: "idtyp", Value: "app"}, map[string]any{"idtyp": ""}, token.PartyUnknown},
		{"R8693-4.1 not a string", verifier.ClientMark{Claim: "idtyp", Value: "app"}, map[string]any{"idtyp": []string{"app"}}, token.PartyUnknown},
		{"R8693-4.1 a prefix", verifier.ClientMark{Claim: name, Prefix: "service-account-"}, map[string]any{name: "service-account-x"}, token.PartyClient},
		{"R8693-4.1 no prefix", verifier.ClientMark{Claim: name, Prefix: "service-account-"}, map[string]any{name: "ada"}, token.PartyUser},
		{"R8693-4.1 a suffix", verifier.ClientMark{Claim: "sub", Suffix: "@clients"}, map[string]any{"sub": "x@clients"}, token.PartyClient},
		{"R8693-4.1 no suffix", verifier.ClientMark{Claim: "sub", Suffix: "@clients"}, map[string]any{"sub": "auth0|x"}, token.PartyUser},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, mapped(verifier.Mapping{Client: row.mark, AllowMissingSubject: true}))
			info, err := f.verify(t, f.mint(func(t *authtest.Token) { t.Claims = row.claims }))
			if err != nil || info.Party != row.want {
				t.Errorf("got %+v and %v, want %v", info, err, row.want)
			}
		})
	}
}

// TestActor: a chain of actors is kept within a bound, and one that cannot be read
// makes the token invalid, because it would pass for one that nobody acts with.
func TestActor(t *testing.T) {
	type object = map[string]any
	deep := func(n int) object {
		act := object{"sub": "a"}
		for range n - 1 {
			act = object{"sub": "a", "act": act}
		}
		return act
	}
	f := newFixture(t, verifier.Config{})
	for name, act := range map[string]any{"one": object{"sub": "agent"}, "a client": object{"client_id": "agent"}, "azp": object{"azp": "agent"}, "eight": deep(8)} {
		info, err := f.verify(t, f.mint(claim("act", act)))
		if err != nil || info.Actor == nil || info.Actor.Subject+info.Actor.ClientID == "" {
			t.Errorf("R8693-4.1 %s: got %+v and %v", name, info, err)
		}
	}
	for name, act := range map[string]any{
		"null": nil, "a string": "agent", "an array": []any{object{"sub": "agent"}}, "nobody": object{}, "an issuer alone": object{"iss": "x"},
		"a number": object{"sub": 1}, "an issuer that is a number": object{"sub": "x", "iss": 1}, "a client that is a number": object{"sub": "x", "client_id": 1},
		"nobody before": object{"sub": "a", "act": object{}}, "null before": object{"sub": "a", "act": nil}, "nine": deep(9),
	} {
		if _, err := f.verify(t, f.mint(claim("act", act))); err == nil || !strings.Contains(err.Error(), "act") {
			t.Errorf("R8693-4.1 %s: got %v", name, err)
		}
	}
	// Claims that a rule may need and that cannot be read are as good as none.
	info, err := f.verify(t, f.mint(claim("acr", 1), claim("auth_time", "1")))
	if err != nil || info.ACR != "" || !info.AuthTime.IsZero() {
		t.Errorf("R9470-3: got %+v and %v", info, err)
	}
	f.refuses(t, f.mint(claim("sid", 1)), token.ErrInvalid) // it could not be cut off
}

// TestMappingFaults: all at once, each with its place.
func TestMappingFaults(t *testing.T) {
	_, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: login, Mapping: verifier.Mapping{
		Scopes: []verifier.ScopeClaim{
			{},
			{Path: []string{"a", ""}, Values: map[string][]string{}},
			{Path: []string{"a"}, Values: map[string][]string{"x": {"not a scope"}, "y": nil}, Prefix: "p"},
			{Path: []string{"a"}, Prefix: "with space "},
		},
		ScopeLimit: []string{"", "ok"},
		Audiences:  map[string]string{"": "x", "y": ""},
		Client:     verifier.ClientMark{Claim: "a.b", Value: "x", Prefix: "y"},
	}}}})
	var places []string
	for f := range fault.All(err) {
		places = append(places, strings.TrimPrefix(f.Place, "verifier: JWT[0].Mapping."))
	}
	want := []string{
		"Scopes[0].Path", "Scopes[1].Path[1]", "Scopes[1].Values", `Scopes[2].Values["x"][0]`, `Scopes[2].Values["y"]`, "Scopes[2].Prefix", "Scopes[3].Prefix",
		"ScopeLimit[0]", `Audiences[""]`, `Audiences["y"]`, "Client.Claim[0]", "Client",
	}
	if !reflect.DeepEqual(places, want) {
		t.Errorf("got  %q\nwant %q", places, want)
	}
	for _, m := range []verifier.Mapping{{AddScopes: true}, {ScopeLimit: []string{}}, {Client: verifier.ClientMark{Claim: "x"}}, {Client: verifier.ClientMark{Value: "x"}}} {
		if _, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: login, Mapping: m}}}); err == nil {
			t.Errorf("accepted %+v", m)
		}
	}
}
