package policyfile_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
)

// large is a file with so many methods, 20 to a service, each with a scope of its own,
// and a first service by which policies are told apart.
func large(methods int, scope string) string {
	var text strings.Builder
	text.WriteString(requiring(scope))
	for i := range methods {
		if i%20 == 0 {
			fmt.Fprintf(&text, "  bench.v1.Service%d:\n    no_descriptor: true\n    methods:\n", i/20)
		}
		fmt.Fprintf(&text, "      Method%d:\n        scopes: [bench:Method%d]\n", i, i)
	}
	return text.String()
}

func BenchmarkParse(b *testing.B) {
	for _, methods := range []int{1, 100, 10_000} {
		text := []byte(large(methods, "a"))
		b.Run(fmt.Sprintf("methods=%d", methods), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := policyfile.Parse("policy.yaml", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile is policy.Compile alone (goal: 200 ms).
func BenchmarkCompile(b *testing.B) {
	p, err := policyfile.Parse("policy.yaml", []byte(large(10_000, "a")))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("methods=10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := policy.Compile(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReload is all of it: to read, parse, compile and swap.
func BenchmarkReload(b *testing.B) {
	path := filepath.Join(b.TempDir(), "policy.yaml")
	overwrite(b, path, large(10_000, "a"))
	w, _ := serve(b, path)
	b.Run("methods=10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := w.Reload(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// serve returns an Authorizer whose policy is a file.
func serve(tb testing.TB, path string) (*policyfile.Watcher, *drawbridge.Authorizer) {
	tb.Helper()
	authorizer := new(drawbridge.Authorizer)
	return newWatcher(tb, path, newJournal(), func(p policy.Policy) error {
		cfg := serverConfig()
		cfg.Policy = p
		return authorizer.Reconfigure(cfg)
	}), authorizer
}

// BenchmarkDecisionDuringReloads compares the time of decisions while a policy of 1,000
// methods is read again and again with that while it is not, in turns of 50 ms (goal:
// 1.1 times the p99.9 without).
func BenchmarkDecisionDuringReloads(b *testing.B) {
	const methods = 1000
	path := filepath.Join(b.TempDir(), "policy.yaml")
	overwrite(b, path, large(methods, "read"))
	w, authorizer := serve(b, path)
	req := drawbridge.Request{Procedure: "/" + service + "/Get", Transport: withToken{}}
	times := [2][]time.Duration{}
	decide := func(during int) {
		began := time.Now()
		_, err := authorizer.Authorize(b.Context(), req)
		times[during] = append(times[during], time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
	}
	turn := func(during int) (reloads int) {
		done, ended := make(chan struct{}), make(chan int)
		go func() {
			count := 0
			defer func() { ended <- count }()
			for {
				select {
				case <-done:
					return
				default:
				}
				if during == 0 {
					<-done
					return
				}
				count++
				if err := w.Reload(); err != nil {
					b.Error(err)
				}
			}
		}()
		for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
			decide(during)
		}
		close(done)
		return <-ended
	}
	reloads := 0
	for i := range 2 * b.N {
		reloads += turn(i % 2)
	}
	quantile := func(during int, q float64) float64 {
		slices.Sort(times[during])
		return float64(times[during][int(q*float64(len(times[during])))])
	}
	for _, q := range []float64{0.5, 0.99, 0.999} {
		without, with := quantile(0, q), quantile(1, q)
		name := fmt.Sprintf("p%g", 100*q)
		b.ReportMetric(without, name+"-ns")
		b.ReportMetric(with, name+"-reload-ns")
		b.ReportMetric(with/without, name+"-ratio")
	}
	b.ReportMetric(float64(reloads)/float64(b.N), "reloads/op")
}
