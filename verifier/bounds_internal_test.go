package verifier

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestRefusalsAreBounded: a flood of tokens that are not active costs requests, never
// memory.
func TestRefusalsAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := newRefusals(time.Second)
	for i := range 5 * maxRefusals {
		r.put(digest{byte(i), byte(i >> 8), byte(i >> 16)}, errInactive, now)
	}
	if held := len(r.young) + len(r.old); held > 2*maxRefusals {
		t.Errorf("%d are held", held)
	}
	last := 5*maxRefusals - 1
	key := digest{byte(last), byte(last >> 8), byte(last >> 16)}
	if !errors.Is(r.find(key, now), errInactive) || r.find(key, now.Add(time.Second)) != nil {
		t.Error("the last one is not held for its time")
	}
}

// TestLogoutsAreBounded: no jti is forgotten before its token has expired, and no more
// are remembered than a bound.
func TestLogoutsAreBounded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := &logoutHandler{verifier: &Verifier{front: front{now: func() time.Time { return now }}}, used: make(map[string]map[string]time.Time)}
	for i := range maxLogoutIDs {
		if err := h.use("a", strconv.Itoa(i), now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.use("a", "0", now); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("one that was used: got %v", err)
	}
	if err := h.use("a", "new", now); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("full: got %v", err)
	}
	if err := h.use("b", "0", now.Add(time.Minute)); err != nil {
		t.Errorf("of another issuer: got %v", err)
	}
	now = now.Add(time.Minute)
	if err := h.use("a", "new", now.Add(time.Minute)); err != nil || len(h.used["a"]) != 1 {
		t.Errorf("after they expired: got %v, and %d are held", err, len(h.used["a"]))
	}
}

// TestDigest: the key of an opaque token in the cache is no token, and none of another
// server (R7662-4).
func TestDigest(t *testing.T) {
	digestOf := func(issuer, endpoint, raw string) string {
		config := IntrospectionConfig{Issuer: issuer, Endpoint: endpoint, ClientID: "c", ClientSecret: "s"}
		var buffer digest
		return string(newIntrospector(config.copied(), nil, time.Now).digest(&buffer, raw))
	}
	key := digestOf("https://a.example", "", "token")
	if key[0] != ' ' || strings.Contains(key, "token") || key != digestOf("https://a.example", "", "token") {
		t.Errorf("got %q", key)
	}
	for _, other := range []string{digestOf("https://b.example", "", "token"), digestOf("https://a.example", "https://a.example/x", "token"), digestOf("https://a.example", "", "token2")} {
		if other == key {
			t.Error("two keys are the same")
		}
	}
}

// TestJoinLooksAgain: a caller that missed the cache before a request ended finds what it
// brought, and asks nobody.
func TestJoinLooksAgain(t *testing.T) {
	var f flights
	want, reason := new(entry), errors.New("refused")
	ask := func(context.Context) (*entry, error) { panic("asked") }
	for i := range 4 * maxFlights { // Each gives its turn back.
		isRenewal := i%2 == 0
		got, err := f.join(t.Context(), digest{}, isRenewal, func() (*entry, error) { return want, nil }, ask)
		if got != want || err != nil {
			t.Fatalf("got %v and %v", got, err)
		}
		if _, err := f.join(t.Context(), digest{}, isRenewal, func() (*entry, error) { return nil, reason }, ask); !errors.Is(err, reason) {
			t.Fatalf("got %v", err)
		}
	}
}
