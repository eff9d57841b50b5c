package drawbridge_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestGrantable: a rule that asks for what no token can have is a fault, as far as the
// mapping of the issuers says.
func TestGrantable(t *testing.T) {
	t.Parallel()
	const issuer, other = "https://login.example.com", "https://other.example.com"
	const inA = `drawbridge: Policy.Services["a.v1.A"]: `
	role := verifier.ScopeClaim{Path: []string{"roles"}, Values: map[string][]string{"admin": {"write"}}}
	pattern := "https://login.example.com/{tenant}"
	for _, tt := range []struct {
		name    string
		rule    policy.Rule
		jwt     []verifier.JWTConfig
		issuers []string
		want    string // the beginning of the fault
	}{
		{"anything", policy.Rule{Scopes: []string{"read"}}, []verifier.JWTConfig{{Issuer: issuer}}, nil, ""},
		{"a public rule", policy.Rule{Public: true}, []verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{ScopeLimit: []string{"x"}}}}, nil, ""},
		{
			"beyond the limit", policy.Rule{Scopes: []string{"read"}}, []verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{ScopeLimit: []string{"x"}}}}, nil,
			inA + `"read" is a scope that no token can have, so that every call would be denied: the mapping of its issuers drops it`,
		},
		{"implied within the limit", policy.Rule{Scopes: []string{"read"}}, []verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{ScopeLimit: []string{"write"}}}}, nil, ""},
		{"of a role", policy.Rule{Scopes: []string{"write"}}, []verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{role}}}}, nil, ""},
		{
			"of no role", policy.Rule{Scopes: []string{"write"}, AnyScopes: []string{"x", "y"}, Source: "p.yaml:3"},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{role}}}}, nil,
			"p.yaml:3: " + inA + `"x" is a scope that no token can have`,
		},
		{
			"of the other issuer of the resource", policy.Rule{Scopes: []string{"x"}},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{role}}}, {Issuer: other}}, []string{issuer, other}, "",
		},
		{
			"of an issuer that is none of the resource", policy.Rule{Scopes: []string{"x"}},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{role}}}, {Issuer: other}}, nil,
			inA + `"x" is a scope that no token can have`,
		},
		{
			"with a prefix", policy.Rule{Scopes: []string{"read"}},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Scopes: []verifier.ScopeClaim{{Path: []string{"scp"}, Prefix: "api://a/"}}}}}, nil,
			inA + `"read" is a scope that no token can have`,
		},
		{
			"of a tenant", policy.Rule{Scopes: []string{"x"}},
			[]verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"t"}, Mapping: verifier.Mapping{ScopeLimit: []string{"x"}}}}, []string{pattern}, "",
		},
		{
			"of no tenant", policy.Rule{Scopes: []string{"y"}},
			[]verifier.JWTConfig{{Issuer: pattern, Tenants: []string{"t"}, Mapping: verifier.Mapping{ScopeLimit: []string{"x"}}}}, []string{"https://login.example.com/t"},
			inA + `"y" is a scope that no token can have`,
		},
		{
			"a claim", policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"tenant", "id"}, AnyOf: []string{"1"}}}},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Claims: []string{"tenant"}}}}, nil, "",
		},
		{
			"a claim that is not kept", policy.Rule{Claims: []policy.ClaimCondition{{Path: []string{"tenant", "id"}, AnyOf: []string{"1"}}}},
			[]verifier.JWTConfig{{Issuer: issuer, Mapping: verifier.Mapping{Claims: []string{"id"}}}}, nil,
			inA + `"tenant" is a claim that the verifier does not keep, so that every call would be denied; add it to the Claims of the Mapping of its issuer`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := verifier.New(verifier.Config{JWT: tt.jwt})
			if err != nil {
				t.Fatal(err)
			}
			_, err = drawbridge.New(drawbridge.Config{
				Resources: []drawbridge.Resource{{Identifier: "https://api.example.com", AuthorizationServers: []string{issuer}, Issuers: tt.issuers}},
				Policy: policy.Policy{
					Services: map[string]policy.Service{"a.v1.A": {NoDescriptor: true, Rule: tt.rule}},
					Implies:  map[string][]string{"write": {"read"}},
				},
				Verifier: v,
			})
			if (err == nil) != (tt.want == "") || err != nil && (!strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestGrantableOnce: a rule that each method of a service has a copy of is one fault.
func TestGrantableOnce(t *testing.T) {
	t.Parallel()
	v, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: rpctest.Issuer, Mapping: verifier.Mapping{ScopeLimit: []string{"x"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: rpctest.Resource, AuthorizationServers: []string{rpctest.Issuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{rpctest.GuardedService: {Rule: policy.Rule{
			Scopes: []string{"y"}, Question: &policy.Question{Resource: policy.Entity{Type: "t", ID: "'1'"}},
		}}}},
		Compiler: policy.Compiler{Questions: onlyMethod("")},
		Verifier: v,
	})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), `"y" is a scope that no token can have`) {
		t.Errorf("got %v", err)
	}
}

// TestPolicyResources: the policy says which services a resource has, and names none that
// the server does not have.
func TestPolicyResources(t *testing.T) {
	t.Parallel()
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{
			{Identifier: "https://api.example.com/a", AuthorizationServers: []string{rpctest.Issuer}, Services: []string{"c.v1.C"}},
			{Identifier: "https://api.example.com/b", AuthorizationServers: []string{rpctest.Issuer}},
		},
		Policy: policy.Policy{
			Services: map[string]policy.Service{
				"b.v1.B": {NoDescriptor: true, Rule: policy.Rule{Scopes: []string{"b"}}},
				"c.v1.C": {NoDescriptor: true, Rule: policy.Rule{Scopes: []string{"c"}}},
			},
			Resources: map[string][]string{"https://api.example.com/a": {"b.v1.B", "c.v1.C"}, "https://api.example.com/b": {"c.v1.C"}},
		},
		Verifier: new(rpctest.Verifier),
	}
	a, err := drawbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{"/a": {"b", "c"}, "/b": {"c"}} {
		document, ok := a.Metadata(t.Context(), sent{Path: "/.well-known/oauth-protected-resource" + path, Host: "api.example.com"}.Request())
		if !ok || !slices.Equal(document.ScopesSupported, want) {
			t.Errorf("%s: got %q, want %q", path, document.ScopesSupported, want)
		}
	}
	cfg.Policy.Resources["https://api.example.com/A"] = []string{"c.v1.C"}
	const want = `drawbridge: Policy.Resources["https://api.example.com/A"]: "https://api.example.com/A" is not the Identifier of a resource of the server; write it as it stands there, or add the resource`
	if err := a.Reconfigure(cfg); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestWarnings: what may be a mistake can be read, and stands in the log, with its source.
func TestWarnings(t *testing.T) {
	t.Parallel()
	var log journal
	w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Logger = slog.New(&log)
		cfg.Policy = cfg.Policy.Override(policy.Policy{Services: map[string]policy.Service{
			rpctest.GuardedService: {Methods: map[string]policy.Rule{rpctest.Unary: {Authenticated: true, Source: "policy.yaml:7"}}},
		}})
	})
	const want = "policy.yaml:7: policy: /drawbridge.test.v1.GuardedService/Unary: requires a valid token, and replaces a rule that requires guarded:write"
	if first := log.take(t); first["msg"] != "drawbridge: policy: "+w.Warnings()[0].Error() {
		t.Errorf("logged %v", first)
	}
	warnings := w.Warnings()
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0].Error(), want) {
		t.Errorf("got %v", warnings)
	}
	if _, err := w.Authorize(t.Context(), sent{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)}.Request()); err == nil {
		t.Error("let in")
	}
	if denial := log.take(t); denial["rule"] != "policy.yaml:7" {
		t.Errorf("logged %v", denial)
	}
}
