package verifier_test

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestStats proves what each call counts as.
func TestStats(t *testing.T) {
	for _, row := range []struct {
		name string
		size int // of the cache
		do   func(*testing.T, *fixture)
		want token.Stats
	}{
		{"nothing", 0, func(*testing.T, *fixture) {}, token.Stats{}},
		{"a token three times", 0, func(t *testing.T, f *fixture) {
			raw := f.mint()
			for range 3 {
				f.accepts(t, raw)
			}
		}, token.Stats{Valid: 3, KeySetFetches: 1, CacheHits: 2, CacheMisses: 1, CacheEntries: 1}},
		{"a token three times without a cache", -1, func(t *testing.T, f *fixture) {
			raw := f.mint()
			for range 3 {
				f.accepts(t, raw)
			}
		}, token.Stats{Valid: 3, KeySetFetches: 1}},
		{"refused tokens", 0, func(t *testing.T, f *fixture) {
			f.refuses(t, "garbage", token.ErrInvalid)
			f.refuses(t, f.mint(claim("exp", 1)), token.ErrInvalid)
			f.refuses(t, f.mint(forged), token.ErrInvalid)
		}, token.Stats{Invalid: 3, KeySetFetches: 1, CacheMisses: 3}},
		{"a token that is too long", 0, func(t *testing.T, f *fixture) {
			f.refuses(t, strings.Repeat("x", token.MaxLength+1), token.ErrInvalid)
		}, token.Stats{Invalid: 1}},
		{"an outage", 0, func(t *testing.T, f *fixture) {
			f.issuer.Down()
			f.refuses(t, f.mint(), token.ErrUnavailable)
			f.refuses(t, f.mint(), token.ErrUnavailable) // in the cool-down
			f.issuer.Up()
			f.Advance(coolDown)
			f.accepts(t, f.mint())
		}, token.Stats{Valid: 1, Unavailable: 2, KeySetFetches: 1, KeySetFailures: 1, CacheMisses: 3, CacheEntries: 1}},
		{"an unknown key", 0, func(t *testing.T, f *fixture) {
			f.accepts(t, f.mint())
			f.refuses(t, f.mint(unknownKey(1)), token.ErrUnavailable)
		}, token.Stats{Valid: 1, Unavailable: 1, KeySetFetches: 1, CacheMisses: 2, CacheEntries: 1}},
		{"an expired one that is known", 0, func(t *testing.T, f *fixture) {
			raw := f.mint()
			f.accepts(t, raw)
			f.Advance(101 * 60 * interval / 15)
			f.refuses(t, raw, token.ErrInvalid)
		}, token.Stats{Valid: 1, Invalid: 1, KeySetFetches: 1, CacheMisses: 2, CacheEntries: 1}},
		{"a refresh", 0, func(t *testing.T, f *fixture) {
			raw := f.mint()
			f.accepts(t, raw)
			f.Advance(interval)
			f.accepts(t, raw)
			f.verifier.AwaitFetch()
		}, token.Stats{Valid: 2, KeySetFetches: 2, CacheMisses: 2, CacheEntries: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: row.size, Logger: slog.New(slog.DiscardHandler)})
			row.do(t, f)
			if got := f.verifier.Stats(); len(got.Issuers) != 1 || got.Issuers[0].Issuer != f.issuer.URL || got.Issuers[0].Valid != row.want.Valid {
				t.Errorf("got %+v", got.Issuers)
			} else if got.Issuers = nil; !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

// TestStatsAtTheSameTime proves that no call is lost, and is for the race
// detector.
func TestStatsAtTheSameTime(t *testing.T) {
	f := newFixture(t, verifier.Config{CacheSize: 20})
	f.accepts(t, f.mint())
	known := f.mint()
	var valid, invalid atomic.Uint64
	inAllCalls(8, func(int) {
		for range 50 {
			for _, raw := range []string{known, f.mint(), f.mint(claim("exp", 1)), authtest.Tamper(known)} {
				switch _, err := f.verifier.VerifyToken(t.Context(), raw, nil); {
				case err == nil:
					valid.Add(1)
				case errors.Is(err, token.ErrInvalid):
					invalid.Add(1)
				}
			}
			f.Advance(64) // to the next line of the counter
			f.verifier.Stats()
		}
	})
	got := f.verifier.Stats()
	if got.Valid != valid.Load()+1 || got.Invalid != invalid.Load() || got.Unavailable != 0 || got.CacheHits+got.CacheMisses != 8*50*4+1 || got.CacheEntries > 20 {
		t.Errorf("got %+v, want %d valid and %d invalid", got, valid.Load()+1, invalid.Load())
	}
}
