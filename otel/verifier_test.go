package otel_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/otel"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestVerifiers: the counts of a verifier, by result.
func TestVerifiers(t *testing.T) {
	t.Parallel()
	counts := []token.Stats{
		{
			Valid: 1, Invalid: 12, Unavailable: 3, KeySetFetches: 4, KeySetFailures: 5, CacheHits: 6, CacheMisses: 9, CacheEntries: 8,
			Issuers: []token.Stats{{Issuer: "https://a", Valid: 1, Invalid: 2, Unavailable: 3, KeySetFetches: 4, KeySetFailures: 5, CacheHits: 6, CacheMisses: 7}},
		},
		{Valid: 1 << 63, Invalid: 1, CacheEntries: 1, Issuers: []token.Stats{{Issuer: "https://b", Valid: 1<<63 + 1}}},
	}
	s := newSDK()
	s.observer(t, func(cfg *otel.Config) {
		for i := range counts {
			cfg.Verifiers = append(cfg.Verifiers, func() token.Stats { return counts[i] })
		}
	})
	want := map[string][]string{
		"drawbridge.verifications": {
			"0 ",
			"0 drawbridge.issuer=https://b error.type=invalid_token",
			"0 drawbridge.issuer=https://b error.type=unavailable",
			"0 error.type=unavailable",
			"1 drawbridge.issuer=https://a",
			"11 error.type=invalid_token",
			"2 drawbridge.issuer=https://a error.type=invalid_token",
			"3 drawbridge.issuer=https://a error.type=unavailable",
			"9223372036854775807 drawbridge.issuer=https://b",
		},
		"drawbridge.key_set.fetches": {
			"0 ", "0 drawbridge.issuer=https://b", "0 drawbridge.issuer=https://b error.type=unavailable", "0 error.type=unavailable",
			"4 drawbridge.issuer=https://a", "5 drawbridge.issuer=https://a error.type=unavailable",
		},
		"drawbridge.token_cache.lookups": {
			"0 drawbridge.issuer=https://b drawbridge.outcome=hit", "0 drawbridge.issuer=https://b drawbridge.outcome=miss", "0 drawbridge.outcome=hit", "2 drawbridge.outcome=miss",
			"6 drawbridge.issuer=https://a drawbridge.outcome=hit", "7 drawbridge.issuer=https://a drawbridge.outcome=miss",
		},
		"drawbridge.token_cache.entries": {"9 "},
	}
	if got := s.metrics(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	counts[0].CacheEntries, counts[0].Issuers[0].Valid = 1, 10
	got := s.metrics(t)
	if entries := got["drawbridge.token_cache.entries"]; !slices.Contains(entries, "2 ") {
		t.Errorf("later, entries %q", entries)
	}
	if verifications := got["drawbridge.verifications"]; !slices.Contains(verifications, "10 drawbridge.issuer=https://a") {
		t.Errorf("later, verifications %q", verifications)
	}
}

// TestVerifierStats: those of a real verifier.
func TestVerifierStats(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSDK()
	s.observer(t, func(cfg *otel.Config) {
		cfg.Verifiers = []func() token.Stats{jwt.Stats}
	})
	raw := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}})
	for _, raw := range []string{raw, raw, authtest.Tamper(raw)} {
		_, _ = jwt.VerifyToken(t.Context(), raw, nil)
	}
	got := s.metrics(t)
	for name, want := range map[string]string{
		"drawbridge.verifications":       "2 drawbridge.issuer=" + issuer.URL,
		"drawbridge.key_set.fetches":     "1 drawbridge.issuer=" + issuer.URL,
		"drawbridge.token_cache.lookups": "1 drawbridge.issuer=" + issuer.URL + " drawbridge.outcome=hit",
		"drawbridge.token_cache.entries": "1 ",
	} {
		if !slices.Contains(got[name], want) {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// failing is a MeterProvider that makes no instrument of some names.
type failing struct {
	metricnoop.MeterProvider

	names []string
}

type failingMeter struct {
	metricnoop.Meter

	names []string
}

func (f failing) Meter(string, ...metric.MeterOption) metric.Meter {
	return failingMeter{names: f.names}
}

func (f failingMeter) fail(name string) error {
	if slices.Contains(f.names, name) {
		return errors.New("no " + name)
	}
	return nil
}

func (f failingMeter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return metricnoop.Int64Counter{}, f.fail(name)
}

func (f failingMeter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return metricnoop.Float64Histogram{}, f.fail(name)
}

func (f failingMeter) Int64ObservableCounter(name string, _ ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return metricnoop.Int64ObservableCounter{}, f.fail(name)
}

func (f failingMeter) Int64ObservableUpDownCounter(name string, _ ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	return metricnoop.Int64ObservableUpDownCounter{}, f.fail(name)
}

func (f failingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	return metricnoop.Registration{}, f.fail("callback")
}

// TestNewFails: every fault is reported.
func TestNewFails(t *testing.T) {
	t.Parallel()
	stats := func() token.Stats { return token.Stats{} }
	for _, tt := range []struct {
		name      string
		names     []string
		verifiers []func() token.Stats
		want      []string
	}{
		{"nothing", nil, []func() token.Stats{stats}, nil},
		{"decisions", []string{"drawbridge.decisions", "drawbridge.decision.duration"}, []func() token.Stats{nil, stats, nil}, []string{
			"no drawbridge.decisions", "no drawbridge.decision.duration", "Verifiers[0]: is nil", "Verifiers[2]: is nil",
		}},
		{"verifiers", []string{"drawbridge.key_set.fetches", "drawbridge.token_cache.entries"}, []func() token.Stats{stats}, []string{
			"no drawbridge.key_set.fetches", "no drawbridge.token_cache.entries",
		}},
		{"the callback", []string{"callback"}, []func() token.Stats{stats}, []string{"no callback"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := otel.New(otel.Config{MeterProvider: failing{names: tt.names}, Verifiers: tt.verifiers})
			if (o == nil) != (tt.want != nil) {
				t.Errorf("got %v, %v", o, err)
			}
			var got []string
			for f := range fault.All(err) {
				got = append(got, f.Error())
			}
			for i, want := range tt.want {
				if len(got) != len(tt.want) || got[i] != "otel: "+want {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}
