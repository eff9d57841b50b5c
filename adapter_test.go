package drawbridge_test

import (
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// TestAdapterIsThatOfItsAuthorizer: an Adapter is a value that leads back.
func TestAdapterIsThatOfItsAuthorizer(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	first, second := a.Adapter(), a.Adapter()
	if first.Authorizer() != a || first != second || newAuthorizer(t).Adapter() == first {
		t.Error("the Adapter belongs to another Authorizer")
	}
}

// TestRefuse: an adapter refuses for reasons of its transport whatever token there
// is, without a challenge, and the refusal is logged once (SEED-1, MCP-8).
func TestRefuse(t *testing.T) {
	t.Parallel()
	var log journal
	verifier := people()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier, cfg.Logger = verifier, slog.New(&log) })
	cause := errors.New("origin https://evil.example")
	for _, tt := range []struct {
		name             string
		call             sent
		realm, procedure string
	}{
		{"MCP-8 plain HTTP", sent{Service: rpctest.GuardedService, Path: "/mcp", Authorization: bearer("t-admin")}, rpctest.GuardedService, rpctest.GuardedService},
		{"MCP-8 an RPC", sent{Procedure: guarded}, rpctest.GuardedService, guarded},
		{"MCP-8 a service without a rule", sent{Service: rpctest.NowhereService}, rpctest.NowhereService, rpctest.NowhereService},
		{"MCP-8 RPC-5 a malformed name", sent{Service: `a"b`}, "", `a"b`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := tt.call.Request()
			denial := denialOf(t, a.Adapter().Refuse(t.Context(), &req, challenge.ReasonForbiddenOrigin, cause), challenge.ReasonForbiddenOrigin)
			want := challenge.Challenge{Scheme: "Bearer", Realm: tt.realm}
			if !reflect.DeepEqual(denial.Challenge, want) || !errors.Is(denial, cause) || isPrebuilt(denial) {
				t.Errorf("MCP-8: got %+v", denial)
			}
			if got := denial.Error(); got != "requests from this origin are not allowed" {
				t.Errorf("RPC-7: says %q", got)
			}
			logged := log.take(t)
			if logged["reason"] != "forbidden_origin" || logged["status"] != int64(403) || logged["service"] != tt.realm || logged["procedure"] != tt.procedure || logged["cause"] != cause.Error() || logged["level"] != slog.LevelWarn {
				t.Errorf("SEED-1: logged %v", logged)
			}
		})
	}
	if verifier.asked.Load() != 0 {
		t.Error("MCP-8: the verifier was called")
	}
	// Within a call the record names its caller.
	ctx := enter(t.Context(), t, a, sent{Procedure: guarded, Authorization: bearer("t-admin")})
	req := sent{Procedure: guarded}.Request()
	_ = a.Adapter().Refuse(ctx, &req, challenge.ReasonForbidden, nil)
	if logged := log.take(t); logged["subject"] != "admin" || logged["reason"] != "forbidden" {
		t.Errorf("SEED-1: logged %v", logged)
	}
}

// TestHasMethodRule: a method that only the rule of a service without a descriptor
// covers may be misspelled.
func TestHasMethodRule(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["x.Stock"] = policy.Service{
			NoDescriptor: true, Rule: policy.Rule{Authenticated: true},
			Methods: map[string]policy.Rule{"Alter": {Scopes: []string{"a"}}, "Never": {}},
		}
	}).Adapter()
	for procedure, want := range map[string]bool{
		guarded: true, public: true, "/x.Stock/Alter": true, "/x.Stock/Altr": false, "/x.Stock/Never": false, nowhere: false, "": false, guarded + "y": false,
	} {
		if got := a.HasMethodRule(procedure); got != want {
			t.Errorf("RPC-6: HasMethodRule(%q): got %t", procedure, got)
		}
	}
	if !a.OwnsHost("API.example.com:1") || a.OwnsHost("evil.example.com") {
		t.Error("OwnsHost takes another host for its own, or its own for another")
	}
}

// TestHasRule: which procedures and services a rule opens to some caller (RPC-6).
func TestHasRule(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withAdmin).Adapter()
	for procedure, want := range map[string]bool{guarded: true, public: true, "/a.v1.A/Any": true, nowhere: false, "": false, rpctest.GuardedService: false} {
		if got := a.HasRule(procedure); got != want {
			t.Errorf("RPC-6: HasRule(%q): got %t", procedure, got)
		}
	}
	for service, want := range map[string]bool{rpctest.GuardedService: true, rpctest.PublicService: true, rpctest.NowhereService: false, "": false, guarded: false} {
		if got := a.HasServiceRule(service); got != want {
			t.Errorf("RPC-6: HasServiceRule(%q): got %t", service, got)
		}
	}
}

// TestKnowsService: a service is known if the policy names it, or if its
// descriptor is linked into the program.
func TestKnowsService(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) { delete(cfg.Policy.Services, rpctest.PublicService) }).Adapter()
	for service, want := range map[string]bool{
		rpctest.GuardedService:        true,
		"a.v1.A":                      true,  // named, without a descriptor
		rpctest.PublicService:         true,  // not named, with a descriptor
		"google.protobuf.StringValue": false, // a message
		rpctest.NowhereService:        false,
		"":                            false,
		"a b":                         false,
		guarded:                       false,
	} {
		if got := a.KnowsService(service); got != want {
			t.Errorf("KnowsService(%q): got %t", service, got)
		}
	}
}

// TestOwnsOrigin: origins are written as browsers write them (MCP-8).
func TestOwnsOrigin(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource("https://API.example.com:443/mcp", alias+":8443", "http://localhost:80")}
	}).Adapter()
	for origin, want := range map[string]bool{
		"https://api.example.com":              true,
		"HTTPS://API.EXAMPLE.COM":              true,
		"https://alias.example.com:8443":       true,
		"http://localhost":                     true,
		"http://127.0.0.1":                     true,
		"http://[::1]":                         true,
		"http://api.example.com":               false,
		"https://api.example.com:443":          false, // browsers leave the default port out
		"https://api.example.com:8443":         false,
		"https://alias.example.com":            false,
		"https://localhost":                    false,
		"https://api.example.com/":             false,
		"https://api.example.com.evil.example": false,
		"https://evil.example":                 false,
		"null":                                 false,
		"":                                     false,
	} {
		if got := a.OwnsOrigin(origin); got != want {
			t.Errorf("MCP-8: OwnsOrigin(%q): got %t, want %t", origin, got, want)
		}
	}
}

// TestMount: the path of the resource is the part of the request's path that is
// not the procedure's.
func TestMount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		resources []drawbridge.Resource
		path      string
		want      string
	}{
		{"no path", resources(base), guarded, ""},
		{"a path", resources(base + "/api"), "/api" + guarded, "/api"},
		{"a path and a slash", resources(base + "/api/"), "/api" + guarded, "/api"},
		{"the longest path", resources(base, base+"/api", base+"/api/v2"), "/api/v2" + guarded, "/api/v2"},
		{"no resource", []drawbridge.Resource{serving(resource(base+"/a"), rpctest.GuardedService), resource(base + "/b")}, guarded, ""},
		{"a mount path", []drawbridge.Resource{{Identifier: base + "/api", AuthorizationServers: []string{issuer}, MountPath: "/"}}, guarded, ""},
		{"a mount path of its own", []drawbridge.Resource{{Identifier: base, AuthorizationServers: []string{issuer}, MountPath: "/rpc/"}}, "/rpc" + guarded, "/rpc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = tt.resources })
			req := sent{Path: tt.path}.Request()
			if got := a.Adapter().Mount(t.Context(), &req); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
