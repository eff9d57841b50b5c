package verifier

import (
	"fmt"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// known returns the number of headers that are remembered.
func (m *headerMemo) known() (n int) {
	for i := range m.slots {
		if m.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// TestHeaderMemo proves that the last few headers of correctly signed tokens
// are remembered, each once, and that a known header leads to the same result
// as a new one.
func TestHeaderMemo(t *testing.T) {
	server := authtest.NewIssuer(t)
	v, err := New(Config{CacheSize: -1, JWT: []JWTConfig{{Issuer: server.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	memo := &v.front.router.issuers[0].known
	mint := func(i int, forged bool) string {
		return server.Mint(authtest.Token{
			Audience: []string{"https://api.example.com"},
			Header:   map[string]any{"x": i},
			Forged:   forged,
		})
	}
	verify := func(raw string, want bool) {
		t.Helper()
		if _, err := v.VerifyToken(t.Context(), raw, nil); (err == nil) != want {
			t.Errorf("got %v, accepted should be %v", err, want)
		}
	}
	for i := range 2 * len(memo.slots) {
		verify(mint(i, true), false)
	}
	if n := memo.known(); n != 0 {
		t.Errorf("%d headers of forged tokens are remembered", n)
	}
	for i := range 2 * len(memo.slots) {
		for range 2 {
			verify(mint(i, false), true)
			verify(mint(i, true), false)
		}
		if n := memo.known(); n != min(i+1, len(memo.slots)) {
			t.Errorf("%d headers are remembered after %d", n, i+1)
		}
	}
	for i := range 2 * len(memo.slots) {
		verify(mint(i, false), true)
	}
}

// TestHeaderMemoAtTheSameTime is for the race detector: a remembered header is
// shared between calls.
func TestHeaderMemoAtTheSameTime(t *testing.T) {
	server := authtest.NewIssuer(t)
	v, err := New(Config{CacheSize: -1, JWT: []JWTConfig{{Issuer: server.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for i := range 8 {
		go func() {
			for n := range 20 {
				minted := authtest.Token{Audience: []string{fmt.Sprint(i, n)}, Lifetime: time.Hour}
				info, err := v.VerifyToken(t.Context(), server.Mint(minted), nil)
				if err == nil && info.Audience[0] != minted.Audience[0] {
					err = fmt.Errorf("got audience %v, want %v", info.Audience, minted.Audience)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
