package drawbridge_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// fixed is a verifier that takes every token for that of a writer, and allocates
// nothing.
type fixed struct{ info *token.Info }

func (f fixed) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return f.info, nil
}

// quick returns an Authorizer in which nothing costs but itself, under the given
// base URLs.
func quick(tb testing.TB, aliases ...string) *drawbridge.Authorizer {
	tb.Helper()
	return newAuthorizer(tb, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(base, aliases...)}
		cfg.Verifier = fixed{people().tokens["t-writer"]}
	})
}

// TestAllocations holds the goals for the ways that most requests go.
func TestAllocations(t *testing.T) {
	ctx := t.Context()
	one, two := quick(t), quick(t, alias)
	several := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = resources(base, base+"/mcp", base+"/mcp/admin")
		cfg.Verifier = fixed{people().tokens["t-writer"]}
	})
	known := sent{Procedure: guarded, Host: "api.example.com", Authorization: bearer("t-writer")}.Request()
	none := sent{Procedure: guarded, Host: "alias.example.com"}.Request()
	foreign := sent{Procedure: guarded, Host: "evil.example.com"}.Request()
	plain := sent{Service: rpctest.GuardedService, Path: "/mcp", Host: "alias.example.com"}.Request()
	below := sent{Service: rpctest.GuardedService, Path: "/x/y", Authorization: bearer("t-writer")}.Request()
	open := sent{Procedure: public}.Request()
	decided, err := one.Authorize(ctx, known)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, base+guarded, http.NoBody)
	r.Header["Authorization"] = bearer("t-writer")
	var caller drawbridge.Caller
	decide := func(a *drawbridge.Authorizer, req *drawbridge.Request) func() {
		adapter := a.Adapter()
		return func() { _ = adapter.Decide(ctx, req, &caller) }
	}
	authorize := func(ctx context.Context, a *drawbridge.Authorizer, req *drawbridge.Request) func() {
		adapter := a.Adapter()
		return func() { _, _ = adapter.Authorize(ctx, req) }
	}
	for _, tt := range []struct {
		name string
		want float64
		run  func()
	}{
		{"a known token", 0, decide(one, &known)},
		{"a known token, two base URLs", 0, decide(two, &known)},
		{"a known token, three resources", 0, decide(several, &below)},
		{"no credentials", 0, decide(one, &none)},
		{"no credentials, two base URLs", 0, decide(two, &none)},
		{"no credentials, two base URLs, a foreign host", 0, decide(two, &foreign)},
		{"no credentials, three resources", 0, decide(several, &plain)},
		{"no credentials, plain HTTP", 0, decide(two, &plain)},
		{"a public procedure", 0, decide(one, &open)},
		{"a context", 1, authorize(ctx, one, &known)},
		{"a context of an HTTP request", 1, func() {
			req := drawbridge.HTTPRequest(r)
			req.Procedure = guarded
			_, _ = one.Adapter().Authorize(ctx, &req)
		}},
		{"a context of a public procedure", 1, authorize(ctx, one, &open)},
		{"a context, denied", 0, authorize(ctx, two, &none)},
		{"a context that has the decision", 0, authorize(decided, one, &known)},
		{"Authorizer.Authorize", 1, func() { _, _ = one.Authorize(ctx, known) }},
		{"Check", 0, func() { _ = one.Check(decided, guarded) }},
		{"Caller", 0, func() { _ = one.Adapter().Caller(decided).Expiry() }},
		{"MetadataURL", 0, func() { _ = two.Adapter().MetadataURL(ctx, &known) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(200, tt.run); got != tt.want {
				t.Errorf("got %v allocations, want %v", got, tt.want)
			}
		})
	}
}

// TestContextSize: a call carries at most 48 bytes.
func TestContextSize(t *testing.T) {
	const calls = 1000
	ctx, adapter := t.Context(), quick(t).Adapter()
	req := sent{Procedure: guarded, Authorization: bearer("t-writer")}.Request()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		_, _ = adapter.Authorize(ctx, &req)
	}
	runtime.ReadMemStats(&after)
	// A few hundred bytes of the runtime's own do not count.
	if got := (after.TotalAlloc - before.TotalAlloc) / calls; got > 48 {
		t.Errorf("got %d B, want 48", got)
	}
}

func BenchmarkDecideKnown(b *testing.B) {
	ctx, adapter := b.Context(), quick(b).Adapter()
	req := sent{Procedure: guarded, Authorization: bearer("t-writer")}.Request()
	var caller drawbridge.Caller
	b.ReportAllocs()
	for b.Loop() {
		if denial := adapter.Decide(ctx, &req, &caller); denial != nil {
			b.Fatal(denial)
		}
	}
}

func BenchmarkAuthorizeKnown(b *testing.B) {
	ctx, adapter := b.Context(), quick(b).Adapter()
	req := sent{Procedure: guarded, Authorization: bearer("t-writer")}.Request()
	b.ReportAllocs()
	for b.Loop() {
		if _, denial := adapter.Authorize(ctx, &req); denial != nil {
			b.Fatal(denial)
		}
	}
}

func BenchmarkDenyNoCredentials(b *testing.B) {
	for name, a := range map[string]*drawbridge.Authorizer{"bases=1": quick(b), "bases=2": quick(b, alias)} {
		b.Run(name, func(b *testing.B) {
			ctx, adapter := b.Context(), a.Adapter()
			req := sent{Procedure: guarded, Host: "alias.example.com"}.Request()
			var caller drawbridge.Caller
			b.ReportAllocs()
			for b.Loop() {
				if adapter.Decide(ctx, &req, &caller) == nil {
					b.Fatal("let in")
				}
			}
		})
	}
}

func BenchmarkChallengeHeader(b *testing.B) {
	_, err := authorize(b.Context(), quick(b), sent{Procedure: guarded})
	c := denialOf(b, err, challenge.ReasonNoCredentials).Challenge
	b.ReportAllocs()
	for b.Loop() {
		if c.Header() == "" {
			b.Fatal("empty")
		}
	}
}
