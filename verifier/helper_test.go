package verifier_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	api      = "https://api.example.com"
	interval = 15 * time.Minute // the default of JWTConfig.RefreshInterval
	coolDown = time.Second      // between the starts of two fetches
)

// A clock stands still until it is advanced.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Now().Truncate(time.Second).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// scopeClaims returns top-level claims as places of scopes.
func scopeClaims(names []string) []verifier.ScopeClaim {
	var claims []verifier.ScopeClaim
	for _, name := range names {
		claims = append(claims, verifier.ScopeClaim{Path: []string{name}})
	}
	return claims
}

// A fixture is an issuer and a verifier for it, which share a clock.
type fixture struct {
	*clock

	issuer   *authtest.Issuer
	verifier *verifier.Verifier
}

func newFixture(t testing.TB, config verifier.Config, algorithms ...string) *fixture {
	t.Helper()
	f := &fixture{clock: newClock(), issuer: authtest.NewIssuer(t, algorithms...)}
	if len(config.JWT) == 0 {
		config.JWT = make([]verifier.JWTConfig, 1)
	}
	config.JWT[0].Issuer = f.issuer.URL
	v, err := verifier.NewAt(config, f.Now)
	if err != nil {
		t.Fatal(err)
	}
	f.verifier = v
	return f
}

// mint returns a good token, altered as requested.
func (f *fixture) mint(alter ...func(*authtest.Token)) string {
	minted := authtest.Token{
		Audience: []string{api},
		Scope:    "inventory:read",
		IssuedAt: f.Now(),
		Lifetime: 100 * time.Hour,
	}
	for _, a := range alter {
		a(&minted)
	}
	return f.issuer.Mint(minted)
}

func claim(name string, value any) func(*authtest.Token) {
	return func(t *authtest.Token) { t.Claims = with(t.Claims, name, value) }
}

func parameter(name string, value any) func(*authtest.Token) {
	return func(t *authtest.Token) { t.Header = with(t.Header, name, value) }
}

func algorithm(name string) func(*authtest.Token) {
	return func(t *authtest.Token) { t.Algorithm = name }
}

func forged(t *authtest.Token) { t.Forged = true }

func with(m map[string]any, name string, value any) map[string]any {
	if m == nil {
		m = make(map[string]any)
	}
	m[name] = value
	return m
}

func (f *fixture) verify(t testing.TB, raw string) (*token.Info, error) {
	t.Helper()
	info, err := f.verifier.VerifyToken(t.Context(), raw, nil)
	checkResult(t, raw, info, err)
	return info, err
}

// checkResult checks a property of every result: it is either facts, or an
// error of exactly one class whose text is fit for a log and does not contain the
// token.
func checkResult(t testing.TB, raw string, info *token.Info, err error) {
	t.Helper()
	if (info == nil) == (err == nil) {
		t.Fatalf("info %v and error %v", info, err)
	}
	if err == nil {
		return
	}
	if errors.Is(err, token.ErrInvalid) == errors.Is(err, token.ErrUnavailable) {
		t.Errorf("the error is not of exactly one class: %v", err)
	}
	if text := err.Error(); len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the error has %d bytes: %q", len(text), text)
	}
	for segment := range strings.SplitSeq(raw, ".") {
		if len(segment) > 20 && strings.Contains(err.Error(), segment) {
			t.Errorf("the error contains a part of the token: %v", err)
		}
	}
}

func (f *fixture) accepts(t testing.TB, raw string) {
	t.Helper()
	if _, err := f.verify(t, raw); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func (f *fixture) refuses(t testing.TB, raw string, class error) {
	t.Helper()
	if _, err := f.verify(t, raw); !errors.Is(err, class) {
		t.Errorf("got %v, want %v", err, class)
	}
}

// fetches checks the number of key-set requests that do causes.
func (f *fixture) fetches(t testing.TB, want int, do func()) {
	t.Helper()
	before := f.issuer.KeySetRequests()
	do()
	f.verifier.AwaitFetch()
	if got := f.issuer.KeySetRequests() - before; got != want {
		t.Errorf("%d key-set requests, want %d", got, want)
	}
}

// editKeySet makes the issuer serve its key set with each key edited.
func (f *fixture) editKeySet(t testing.TB, edit func(key map[string]any)) {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(f.issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		edit(key)
	}
	document, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	f.issuer.HandleKeySet(authtest.Answer(200, "application/json", string(document)))
}

// inAllCalls runs n calls of do concurrently and waits for them.
func inAllCalls(n int, do func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { do(i) })
	}
	group.Wait()
}

func unknownKey(i int) func(*authtest.Token) {
	return parameter("kid", fmt.Sprintf("unknown-%d", i))
}
