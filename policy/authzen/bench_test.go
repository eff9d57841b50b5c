package authzen_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

// wrapped compiles a question about a generated message, and returns a call.
func wrapped(tb testing.TB, point *authzen.DecisionPoint, cacheFor time.Duration) (policy.Condition, policy.Input) {
	tb.Helper()
	q := about("request.value")
	q.CacheFor = cacheFor
	q.Context = map[string]string{"tenant": "token.claims.tenant", "scopes": "token.scopes"}
	message := wrapperspb.String("account-1")
	c, err := point.CompileQuestion(q, target(message.ProtoReflect().Descriptor()))
	if err != nil {
		tb.Fatal(err)
	}
	in := ada(message)
	in.Info.Claims, in.Info.Scopes = map[string]any{"tenant": "north"}, []string{"accounts:read", "accounts:write"}
	return c, in
}

// BenchmarkCached is a call whose answer is remembered.
func BenchmarkCached(b *testing.B) {
	p := newPDP(b)
	point := newPoint(b, p)
	c, in := wrapped(b, point, time.Minute)
	for _, parallel := range []bool{false, true} {
		b.Run(map[bool]string{false: "one", true: "parallel"}[parallel], func(b *testing.B) {
			b.ReportAllocs()
			hold := func() {
				if allowed, err := c.Holds(b.Context(), in); !allowed || err != nil {
					b.Error(err)
				}
			}
			if parallel {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						hold()
					}
				})
				return
			}
			for b.Loop() {
				hold()
			}
		})
	}
}

// BenchmarkAsked is what a policy decision point on loopback adds to a call: one that answers at
// once, and one that takes a millisecond. A sleep of a millisecond takes longer than that, so the
// second is also measured without the time that it really took.
func BenchmarkAsked(b *testing.B) {
	for name, takes := range map[string]time.Duration{"0ms": 0, "1ms": time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			p := newPDP(b)
			var slept atomic.Int64
			p.answer(func(w http.ResponseWriter, r *http.Request) {
				begun := time.Now()
				time.Sleep(takes)
				slept.Store(int64(time.Since(begun)))
				saysJSON(`{"decision":true}`)(w, r)
			})
			c, in := wrapped(b, newPoint(b, p), 0)
			b.ReportAllocs()
			var took, own []time.Duration
			for b.Loop() {
				begun := time.Now()
				if allowed, err := c.Holds(b.Context(), in); !allowed || err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
				own = append(own, took[len(took)-1]-time.Duration(slept.Load()))
			}
			slices.Sort(took)
			slices.Sort(own)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(own[len(own)*99/100].Microseconds()), "own-p99-µs")
		})
	}
}
