package interceptor_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// fixed is a verifier that takes every token for that of a writer, and costs
// nothing.
type fixed struct{ info *interceptor.TokenInfo }

func (f fixed) VerifyToken(context.Context, string) (*interceptor.TokenInfo, error) {
	return f.info, nil
}

// quick is an Authorizer in which nothing costs but itself, under so many base
// URLs.
func quick(tb testing.TB, aliases ...string) *interceptor.Authorizer {
	tb.Helper()
	return newAuthorizer(tb, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(base, aliases...)}
		cfg.Verifier = fixed{people().tokens["t-writer"]}
	})
}

const alias = "https://alias.example.com"

// TestAllocations holds the goals for the ways that most requests go.
func TestAllocations(t *testing.T) {
	ctx := t.Context()
	one, two := quick(t), quick(t, alias)
	known := interceptor.Request{Procedure: guarded, Host: "api.example.com", Authorization: bearer("t-writer")}
	nobody := interceptor.Request{Procedure: guarded, Host: "alias.example.com"}
	stranger := interceptor.Request{Procedure: guarded, Host: "evil.example.com"}
	plain := interceptor.Request{Service: "drawbridge.test.v1.GuardedService", Path: "/mcp", Host: "alias.example.com"}
	several := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = resources(base, base+"/mcp", base+"/mcp/admin")
		cfg.Verifier = fixed{people().tokens["t-writer"]}
	})
	below := interceptor.Request{Service: "drawbridge.test.v1.GuardedService", Path: "/x/y", Authorization: bearer("t-writer")}
	decided := authorized(t, one, ctx, known)
	authorize := func(a *interceptor.Authorizer, req interceptor.Request) func() {
		return func() { _, _ = a.Authorize(ctx, req) }
	}
	for _, tt := range []struct {
		name string
		want float64
		run  func()
	}{
		{"a known token", 0, authorize(one, known)},
		{"a known token, two base URLs", 0, authorize(two, known)},
		{"a known token, three resources", 0, authorize(several, below)},
		{"no credentials, three resources", 0, authorize(several, plain)},
		{"a public procedure", 0, authorize(one, interceptor.Request{Procedure: public})},
		{"no credentials", 0, authorize(one, nobody)},
		{"no credentials, two base URLs", 0, authorize(two, nobody)},
		{"no credentials, two base URLs, a foreign host", 0, authorize(two, stranger)},
		{"no credentials, plain HTTP", 0, authorize(two, plain)},
		{"a context", 1, func() { _, _ = one.AuthorizeContext(ctx, known) }},
		{"a context that has the decision", 0, func() { _, _ = one.AuthorizeContext(decided, known) }},
		{"Check", 0, func() { _ = one.Check(decided, guarded) }},
		{"TokenInfoFromContext", 0, func() { _, _ = interceptor.TokenInfoFromContext(decided) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(200, tt.run); got != tt.want {
				t.Errorf("got %v allocations, want %v", got, tt.want)
			}
		})
	}
}

// TestContextSize: what a call carries fits into 48 bytes.
func TestContextSize(t *testing.T) {
	const calls = 1000
	ctx, a := t.Context(), quick(t)
	req := interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		_, _ = a.AuthorizeContext(ctx, req)
	}
	runtime.ReadMemStats(&after)
	// A few hundred bytes of the runtime's own do not count.
	if got := (after.TotalAlloc - before.TotalAlloc) / calls; got > 48 {
		t.Errorf("got %d B, want 48", got)
	}
}

func BenchmarkAuthorizeKnown(b *testing.B) {
	ctx, a := b.Context(), quick(b)
	req := interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authorize(ctx, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorizeContext(b *testing.B) {
	ctx, a := b.Context(), quick(b)
	req := interceptor.Request{Procedure: guarded, Authorization: bearer("t-writer")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.AuthorizeContext(ctx, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDenyNoCredentials(b *testing.B) {
	for name, a := range map[string]*interceptor.Authorizer{"bases=1": quick(b), "bases=2": quick(b, alias)} {
		b.Run(name, func(b *testing.B) {
			ctx, req := b.Context(), interceptor.Request{Procedure: guarded, Host: "alias.example.com"}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authorize(ctx, req); err == nil {
					b.Fatal("let in")
				}
			}
		})
	}
}

func BenchmarkChallengeHeader(b *testing.B) {
	_, err := quick(b).Authorize(b.Context(), interceptor.Request{Procedure: guarded})
	challenge := denialOf(b, err, interceptor.KindNoCredentials).Challenge
	b.ReportAllocs()
	for b.Loop() {
		if challenge.Header() == "" {
			b.Fatal("empty")
		}
	}
}
