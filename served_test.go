package drawbridge_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestServed: a service that requires a token and that no resource serves is a
// fault, instead of a refusal of every call.
func TestServed(t *testing.T) {
	t.Parallel()
	mounted := resource(base + "/api")
	mounted.MountPath = "/"
	const uncovered = "is covered by no resource"
	for _, tt := range []struct {
		name      string
		resources []drawbridge.Resource
		change    func(*policy.Policy)
		want      []string // places of faults
	}{
		{"one resource below a path", resources(base + "/mcp"), nil, nil},
		{"the root", resources(base, base+"/mcp"), nil, nil},
		{"R9728-2.d no root", resources(base+"/api", base+"/mcp"), nil, []string{rpctest.GuardedService + "|" + uncovered}},
		{"a mount path", []drawbridge.Resource{mounted, resource(base + "/mcp")}, nil, nil},
		{"a service that is listed", []drawbridge.Resource{serving(resource(base+"/api"), rpctest.GuardedService), resource(base + "/mcp")}, nil, nil},
		{"R9728-2.d one that is not listed", []drawbridge.Resource{serving(resource(base), rpctest.PublicService), resource(base + "/mcp")}, nil, []string{rpctest.GuardedService + "|" + uncovered}},
		{"R9728-2.d one resource that does not list it", []drawbridge.Resource{serving(resource(base), rpctest.PublicService)}, nil, []string{rpctest.GuardedService + "|" + uncovered}},
		{"all rules are public", resources(base+"/api", base+"/mcp"), func(p *policy.Policy) {
			p.Services = map[string]policy.Service{rpctest.GuardedService: {Rule: policy.Rule{Public: true}}}
		}, nil},
		{"no descriptor", resources(base+"/api", base+"/mcp"), func(p *policy.Policy) {
			p.Services = map[string]policy.Service{"a.v1.A": {Rule: policy.Rule{Authenticated: true}, NoDescriptor: true}}
		}, nil},
		{"R9728-2.d a service that is none", []drawbridge.Resource{resource(base), serving(resource(base+"/mcp"), rpctest.GuardedService, "x.v1.X")}, nil, []string{"Resources[1].Services[1]|is not a service of the policy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Resources = tt.resources
			if tt.change != nil {
				tt.change(&cfg.Policy)
			}
			faults := faultsOf(t, cfg)
			if len(faults) != len(tt.want) {
				t.Fatalf("got %v, want %q", faults, tt.want)
			}
			for i, f := range faults {
				place, reason, _ := strings.Cut(tt.want[i], "|")
				if !strings.Contains(f.Place, place) || !strings.Contains(f.Error(), reason) {
					t.Errorf("got %v, want %s", f, tt.want[i])
				}
			}
		})
	}
}

// TestServices: a resource that lists its services denies every other, and its
// document names their scopes alone (R9728-2.d).
func TestServices(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-admin"].Audience = []string{base, base + "/mcp"}
	a := newAuthorizer(t, withAdmin, func(cfg *drawbridge.Config) {
		cfg.Verifier = verifier
		cfg.Resources = []drawbridge.Resource{serving(resource(base), rpctest.GuardedService), serving(resource(base+"/mcp"), "a.v1.A")}
		cfg.Policy.Implies = map[string][]string{rpctest.ScopeAdmin: {rpctest.ScopeWrite}}
	})
	for _, tt := range []struct {
		name string
		req  sent
		want challenge.Reason
	}{
		{"the service of the first", sent{Procedure: guarded}, letIn},
		{"the service of the second", sent{Service: "a.v1.A", Path: "/mcp"}, letIn},
		{"R9728-2.d the first under the second", sent{Procedure: guarded, Path: "/mcp" + guarded}, challenge.ReasonNotFound},
		{"R9728-2.d the second under the first", sent{Service: "a.v1.A", Path: "/x"}, challenge.ReasonNotFound},
		{"public everywhere", sent{Procedure: public, Path: "/mcp"}, letIn},
	} {
		tt.req.Authorization = bearer("t-admin")
		_, err := authorize(t.Context(), a, tt.req)
		t.Run(tt.name, func(t *testing.T) { wantOutcome(t, err, tt.want) })
	}
	// A nested call is no request: the tool of one resource may use the service
	// of another.
	ctx := enter(t.Context(), t, a, sent{Service: "a.v1.A", Path: "/mcp", Authorization: bearer("t-admin")})
	wantOutcome(t, a.Check(ctx, guarded), letIn)
	for path, want := range map[string][]string{"": {rpctest.ScopeWrite}, "/mcp": {rpctest.ScopeAdmin}} {
		document, _ := a.Metadata(t.Context(), sent{Path: wellKnown + path}.Request())
		if !slices.Equal(document.ScopesSupported, want) {
			t.Errorf("R9728-2.d: %s: got %q, want %q", path, document.ScopesSupported, want)
		}
	}
}

// TestUncoveredPath: a token for one site does not open paths of another that no
// resource covers (R8707-2).
func TestUncoveredPath(t *testing.T) {
	t.Parallel()
	const outside, inside = "https://public.example", "https://internal.example"
	verifier := people()
	verifier.tokens["t-writer"].Audience = []string{outside}
	var log journal
	a := newAuthorizer(t, logTo(&log), func(cfg *drawbridge.Config) {
		cfg.Resources, cfg.Verifier = resources(outside, inside+"/mcp"), verifier
	})
	for host, want := range map[string]challenge.Reason{
		"public.example": letIn, "internal.example": challenge.ReasonNotFound, "internal.example:8443": challenge.ReasonNotFound, "10.0.0.7": challenge.ReasonNotFound,
	} {
		_, err := authorize(t.Context(), a, sent{Service: rpctest.GuardedService, Path: "/reports", Host: host, Authorization: bearer("t-writer")})
		wantOutcome(t, err, want)
		if err == nil {
			continue
		}
		cause, _ := log.take(t)["cause"].(string)
		for _, part := range []string{host, "/reports", outside, inside + "/mcp"} {
			if !strings.Contains(cause, part) {
				t.Errorf("the cause does not name %q: %s", part, cause)
			}
		}
	}
}

// acceptor is a verifier that names its issuers.
type acceptor struct {
	*known

	issuers []string
}

func (v acceptor) AcceptsIssuer(iss string) bool { return slices.Contains(v.issuers, iss) }

// TestAccepted: a resource whose tokens the verifier cannot accept is a fault,
// also where a slash is all that differs (R9728-2.e).
func TestAccepted(t *testing.T) {
	t.Parallel()
	const second = "https://second.example.com/"
	for _, tt := range []struct {
		name    string
		accepts []string
		change  func(*drawbridge.Resource)
		want    []string // place, value, part of the reason
	}{
		{"all", []string{issuer}, nil, nil},
		{"R9728-2.e another", []string{"https://other.example.com"}, nil, []string{"Resources[0].AuthorizationServers[0]", issuer, "does not accept"}},
		{"R9728-2.e a slash too few", []string{issuer + "/"}, nil, []string{"Resources[0].AuthorizationServers[0]", issuer, `differs by a slash from "` + issuer + `/"`}},
		{"R9728-2.e a slash too many", []string{issuer, "https://second.example.com"}, func(r *drawbridge.Resource) { r.Issuers = []string{issuer, second} }, []string{"Resources[0].Issuers[1]", second, `differs by a slash from "https://second.example.com"`}},
		{"R9728-2.e an advertised name that no token has", []string{second}, func(r *drawbridge.Resource) { r.Issuers = []string{second} }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Verifier = acceptor{people(), tt.accepts}
			if tt.change != nil {
				tt.change(&cfg.Resources[0])
			}
			faults := faultsOf(t, cfg)
			if len(tt.want) == 0 {
				if len(faults) != 0 {
					t.Errorf("got %v", faults)
				}
				return
			}
			if len(faults) != 1 || !strings.HasSuffix(faults[0].Place, tt.want[0]) || faults[0].Value != tt.want[1] || !strings.Contains(faults[0].Reason, tt.want[2]) || strings.Contains(faults[0].Reason, "slash") != strings.Contains(tt.name, "slash") {
				t.Errorf("got %v, want %q", faults, tt.want)
			}
		})
	}
}

// asking is a verifier that records the resources it was asked for, and cannot
// verify the tokens of one.
type asking struct {
	*known

	refuses string
	asked   []token.Resource
}

func (v *asking) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	v.asked = append(v.asked, *resource)
	return v.known.VerifyToken(ctx, raw, resource)
}

func (v *asking) CheckResource(resource *token.Resource) error {
	v.asked = append(v.asked, *resource)
	if resource.Identifier == v.refuses {
		return errors.New("two servers could be asked")
	}
	return nil
}

// TestVerifiedResource: a verifier gets the resource that a token was presented to,
// with the identifier that the client uses, and may refuse a resource at construction.
func TestVerifiedResource(t *testing.T) {
	t.Parallel()
	const alias, second = "https://alias.example.com", "https://second.example.com"
	cfg := config()
	cfg.Resources = []drawbridge.Resource{
		{Identifier: base, AuthorizationServers: []string{issuer}, Aliases: []string{alias}},
		{Identifier: base + "/mcp", AuthorizationServers: []string{issuer}, Issuers: []string{issuer, second}},
	}
	verifier := &asking{known: people()}
	cfg.Verifier = verifier
	a, err := drawbridge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if want := []token.Resource{{Identifier: base, Issuers: []string{issuer}}, {Identifier: base + "/mcp", Issuers: []string{issuer, second}}}; !reflect.DeepEqual(verifier.asked, want) {
		t.Errorf("checked %+v, want %+v", verifier.asked, want)
	}
	for _, tt := range []struct {
		call sent
		want token.Resource
	}{
		{sent{Procedure: guarded}, token.Resource{Identifier: base, Issuers: []string{issuer}}},
		{sent{Procedure: guarded, Host: "alias.example.com"}, token.Resource{Identifier: alias, Issuers: []string{issuer}}},
		{sent{Procedure: guarded, Path: "/mcp/x"}, token.Resource{Identifier: base + "/mcp", Issuers: []string{issuer, second}}},
	} {
		verifier.asked = nil
		tt.call.Authorization = bearer("t-writer")
		_, _ = authorize(t.Context(), a, tt.call)
		if !reflect.DeepEqual(verifier.asked, []token.Resource{tt.want}) {
			t.Errorf("%+v: asked %+v, want %+v", tt.call, verifier.asked, tt.want)
		}
	}
	verifier.refuses = base + "/mcp"
	faults := faultsOf(t, cfg)
	if len(faults) != 1 || !strings.HasSuffix(faults[0].Place, "Resources[1]") || faults[0].Value != base+"/mcp" || !strings.Contains(faults[0].Reason, "two servers could be asked") {
		t.Errorf("got %v", faults)
	}
}

// TestUncoveredWithoutTransport: the cause of a denial needs no transport.
func TestUncoveredWithoutTransport(t *testing.T) {
	t.Parallel()
	var log journal
	a := newAuthorizer(t, logTo(&log), func(cfg *drawbridge.Config) { cfg.Resources = resources(base, "https://other.example.com") })
	_, err := a.Authorize(t.Context(), drawbridge.Request{Procedure: guarded})
	denialOf(t, err, challenge.ReasonNoCredentials)
	if entry := log.take(t); entry["reason"] != "no_credentials" {
		t.Errorf("logged %v", entry)
	}
	// An ambiguous path without a rule names the service that was asked for.
	_, err = authorize(t.Context(), a, sent{Service: rpctest.NowhereService, Path: "/a/../b", Host: "api.example.com"})
	if got := denialOf(t, err, challenge.ReasonInvalidRequest).Challenge; got.Realm != rpctest.NowhereService || got.ErrorDescription != challenge.AmbiguousPath {
		t.Errorf("got %+v", got)
	}
}

// checking is a verifier that says that it checks the expiry, which self may
// give away.
type checking struct {
	*known

	self any
}

func (v *checking) ChecksExpiry() any {
	if v.self != nil {
		return v.self
	}
	return v
}

// TestStaleInfo: facts that have expired let nothing in, whichever verifier
// returns them (R9068-4.b, MCP-2). Only a verifier that checks itself is trusted
// to; one that wraps it is not.
func TestStaleInfo(t *testing.T) {
	t.Parallel()
	stale := people()
	stale.tokens["t-writer"].Expiry = time.Now().Add(-time.Second)
	itself := &checking{known: stale}
	for name, tt := range map[string]struct {
		verifier token.Verifier
		trusted  bool
	}{
		"R9068-4.b a verifier":                 {stale, false},
		"R9068-4.b a function":                 {verify(stale.VerifyToken), false},
		"R9068-4.b one that caches another":    {&checking{stale, itself}, false},
		"R9068-4.b one that embeds another":    {struct{ *checking }{itself}, false},
		"one that checks the expiry itself":    {itself, true},
		"R9068-4.b one that returns a pointer": {&checking{stale, new(int)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log journal
			a := newAuthorizer(t, logTo(&log), func(cfg *drawbridge.Config) { cfg.Verifier = tt.verifier })
			_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer("t-writer")})
			if tt.trusted {
				wantOutcome(t, err, letIn)
				return
			}
			if denial := denialOf(t, err, challenge.ReasonInvalidToken); !errors.Is(denial, token.ErrInvalid) {
				t.Errorf("R9068-4.c: got %v", denial.Cause)
			}
			if cause, _ := log.take(t)["cause"].(string); !strings.Contains(cause, "expired at 20") {
				t.Errorf("the cause is %q", cause)
			}
		})
	}
}

// TestCauses: the log says what was expected and what came, and the caller sees
// nothing of it (RPC-7).
func TestCauses(t *testing.T) {
	t.Parallel()
	verifier := people()
	verifier.tokens["t-writer"].Audience = []string{"https://elsewhere.example.com", "x"}
	verifier.tokens["t-reader"].Issuer = "https://evil.example"
	var log journal
	a := newAuthorizer(t, logTo(&log), func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
	for _, tt := range []struct {
		name string
		req  sent
		want []string
	}{
		{"an audience", sent{Procedure: guarded, Authorization: bearer("t-writer")}, []string{`"https://elsewhere.example.com" "x"`, base}},
		{"an issuer", sent{Procedure: guarded, Authorization: bearer("t-reader")}, []string{`"https://evil.example"`, issuer}},
		{"RPC-5 no slash", sent{Procedure: guarded[1:], Authorization: bearer("t-admin")}, []string{guarded[1:], "begins with a slash"}},
		{"RPC-5 malformed", sent{Procedure: "/" + guarded, Authorization: bearer("t-admin")}, []string{"/" + guarded, "/pkg.Service/Method"}},
		{"RPC-6 a plain service", sent{Service: "x.v1.X", Path: "/", Authorization: bearer("t-admin")}, []string{`service "x.v1.X"`}},
		{"RPC-6 nothing", sent{Path: "/", Authorization: bearer("t-admin")}, []string{"names neither a procedure nor a service"}},
		{"a path", sent{Service: rpctest.GuardedService, Path: "/a/..;/b"}, []string{"/a/..;/b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := authorize(t.Context(), a, tt.req)
			if err == nil {
				t.Fatal("let in")
			}
			cause, _ := log.take(t)["cause"].(string)
			for _, part := range tt.want {
				if !strings.Contains(cause, part) {
					t.Errorf("the cause does not name %s: %s", part, cause)
				}
				if text := err.Error() + challenge.DenialOf(err).Challenge.ErrorDescription; strings.Contains(text, part) {
					t.Errorf("RPC-7: the caller sees %s", text)
				}
			}
		})
	}
}

// TestMetadataURL: the document of a server that speaks gRPC alone lives
// elsewhere, under whatever name clients dial.
func TestMetadataURL(t *testing.T) {
	t.Parallel()
	const elsewhere = "https://docs.example.com/.well-known/oauth-protected-resource/grpc"
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		r := resource(base, "https://alias.example.com")
		r.MetadataURL = elsewhere
		cfg.Resources = []drawbridge.Resource{r}
	})
	for _, host := range []string{"api.example.com", "alias.example.com", "evil.example"} {
		_, err := authorize(context.Background(), a, sent{Procedure: guarded, Host: host})
		if got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge.ResourceMetadataURL; got != elsewhere {
			t.Errorf("R9728-5.a: %s: got %s", host, got)
		}
	}
}

func logTo(log *journal) func(*drawbridge.Config) {
	return func(cfg *drawbridge.Config) { cfg.Logger = slog.New(log) }
}
