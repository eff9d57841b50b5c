package verifier_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestCutOff: a cut-off refuses the tokens that it is about, known or not, and no
// others.
func TestCutOff(t *testing.T) {
	for _, row := range []struct {
		name   string
		cutoff verifier.Cutoff // of the issuer
		alter  func(*authtest.Token)
		class  error
	}{
		{"the subject", verifier.Cutoff{Subject: "user-1"}, nil, token.ErrInvalid},
		{"the client", verifier.Cutoff{ClientID: "client-1"}, nil, token.ErrInvalid},
		{"the session", verifier.Cutoff{SessionID: "s-1"}, claim("sid", "s-1"), token.ErrInvalid},
		{"another subject", verifier.Cutoff{Subject: "user-2"}, nil, nil},
		{"a client with the name of the subject", verifier.Cutoff{ClientID: "user-1"}, nil, nil},
		{"another session", verifier.Cutoff{SessionID: "s-2"}, claim("sid", "s-1"), nil},
		{"no session", verifier.Cutoff{SessionID: "s-1"}, nil, nil},
		{"the session of a subject", verifier.Cutoff{SessionID: "s-1", Subject: "user-1"}, claim("sid", "s-1"), token.ErrInvalid},
		{"the subject without a session", verifier.Cutoff{SessionID: "s-1", Subject: "user-1"}, nil, token.ErrInvalid},
		{"another session of the subject", verifier.Cutoff{SessionID: "s-2", Subject: "user-1"}, claim("sid", "s-1"), nil},
		{"another subject without a session", verifier.Cutoff{SessionID: "s-1", Subject: "user-2"}, nil, nil},
		{"issued after it", verifier.Cutoff{Subject: "user-1", Until: time.Unix(1, 0)}, nil, nil},
		{"without iat", verifier.Cutoff{Subject: "user-1", Until: time.Unix(1, 0)}, claim("iat", authtest.Omit), token.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{})
			if row.alter == nil {
				row.alter = func(*authtest.Token) {}
			}
			known, other := f.mint(row.alter), f.mint(row.alter)
			info, err := f.verify(t, known)
			if err != nil || f.verifier.Revoked(info) {
				t.Fatalf("got %v", err)
			}
			row.cutoff.Issuer = f.issuer.URL
			if err := f.verifier.CutOff(row.cutoff); err != nil {
				t.Fatal(err)
			}
			f.refuses(t, known, row.class)
			f.refuses(t, other, row.class)
			if got := f.verifier.Revoked(info); got != (row.class != nil) {
				t.Errorf("revoked: %t", got)
			}
			// An earlier one takes nothing back, and a token that is issued later is good.
			row.cutoff.Until = time.Unix(0, 1)
			if err := f.verifier.CutOff(row.cutoff); err != nil {
				t.Fatal(err)
			}
			f.refuses(t, known, row.class)
			f.Advance(time.Second)
			if !strings.Contains(row.name, "without iat") {
				f.accepts(t, f.mint(row.alter))
			}
		})
	}
}

// TestCutOffOpaque: an answer that is cached does not outlive a cut-off.
func TestCutOffOpaque(t *testing.T) {
	o := newOpaque(t, nil)
	raw := o.mint(nil)
	wants(t, o.verifier, raw, o.resource, nil)
	if err := o.verifier.CutOff(verifier.Cutoff{Issuer: o.issuer.URL, Subject: "user-1"}); err != nil {
		t.Fatal(err)
	}
	wants(t, o.verifier, raw, o.resource, token.ErrInvalid)
	wants(t, o.verifier, o.mint(nil), o.resource, token.ErrInvalid)
}

// TestCutOffsAreKept: a full table refuses new ones, and drops none before every token
// has outlived it.
func TestCutOffsAreKept(t *testing.T) {
	f := newFixture(t, verifier.Config{MaxCutoffs: 2, CutoffLifetime: time.Hour})
	raw := f.mint()
	cut := func(subject string) error {
		return f.verifier.CutOff(verifier.Cutoff{Issuer: f.issuer.URL, Subject: subject})
	}
	for _, subject := range []string{"user-1", "user-2"} {
		if err := cut(subject); err != nil {
			t.Fatal(err)
		}
	}
	if err := cut("user-3"); !errors.Is(err, verifier.ErrCutoffsFull) {
		t.Errorf("full: got %v", err)
	}
	if err := cut("user-2"); err != nil {
		t.Errorf("one that is held: got %v", err)
	}
	f.Advance(time.Hour)
	if err := cut("user-3"); !errors.Is(err, verifier.ErrCutoffsFull) {
		t.Errorf("after an hour: got %v", err)
	}
	f.refuses(t, raw, token.ErrInvalid)
	f.Advance(time.Second)
	if err := cut("user-3"); err != nil {
		t.Errorf("after more than an hour: got %v", err)
	}
}

func TestCutOffFaults(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	for name, c := range map[string]verifier.Cutoff{
		"nobody":         {Issuer: f.issuer.URL},
		"two":            {Issuer: f.issuer.URL, Subject: "a", ClientID: "b"},
		"no issuer":      {Subject: "a"},
		"another issuer": {Issuer: "https://other.example.com", Subject: "a"},
		"the future":     {Issuer: f.issuer.URL, Subject: "a", Until: f.Now().Add(time.Hour)},
	} {
		if err := f.verifier.CutOff(c); err == nil || errors.Is(err, verifier.ErrCutoffsFull) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	f.accepts(t, f.mint())
	for _, config := range []verifier.Config{{MaxCutoffs: -1}, {CutoffLifetime: -1}} {
		config.JWT = []verifier.JWTConfig{{Issuer: login}}
		if _, err := verifier.New(config); err == nil {
			t.Errorf("accepted %+v", config)
		}
	}
}

// TestCutOffAtTheSameTime is for the race detector.
func TestCutOffAtTheSameTime(t *testing.T) {
	f := newFixture(t, verifier.Config{MaxCutoffs: 100})
	raw := f.mint()
	f.accepts(t, raw)
	inAllCalls(8, func(i int) {
		for n := range 50 {
			_ = f.verifier.CutOff(verifier.Cutoff{Issuer: f.issuer.URL, Subject: fmt.Sprint("user-", 2+i, n)}) // The table may be full.
			if _, err := f.verifier.VerifyToken(t.Context(), raw, nil); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestCutOffOfTenant: a cut-off is for the issuer of one tenant, also of one that is not
// accepted any more, and a pattern, which no token names, would revoke nothing.
func TestCutOffOfTenant(t *testing.T) {
	issuer := tenantIssuer(t, "a")
	var isAccepted atomic.Bool
	isAccepted.Store(true)
	pattern, tenant := issuer.URL+"/{tenant}/v2.0", issuer.URL+"/a/v2.0"
	v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{{Issuer: pattern, AcceptTenant: func(string) bool { return isAccepted.Load() }}}})
	mint := func() string {
		return issuer.Mint(authtest.Token{Audience: []string{api}, Claims: map[string]any{"iss": tenant}})
	}
	known := mint()
	wants(t, v, known, nil, nil)
	if err := v.CutOff(verifier.Cutoff{Issuer: pattern, Subject: "user-1"}); err == nil {
		t.Error("a cut-off of a pattern says that it revokes")
	}
	isAccepted.Store(false)
	wants(t, v, mint(), nil, token.ErrInvalid) // a new one
	wants(t, v, known, nil, nil)               // as the doc says
	if err := v.CutOff(verifier.Cutoff{Issuer: tenant, Subject: "user-1"}); err != nil {
		t.Fatal(err)
	}
	wants(t, v, known, nil, token.ErrInvalid)
}

// TestCutOffsOfOneIssuer: what one issuer sends leaves space for the others.
func TestCutOffsOfOneIssuer(t *testing.T) {
	own, partner := authtest.NewIssuer(t), authtest.NewIssuer(t)
	v, err := verifier.New(verifier.Config{MaxCutoffs: 10, JWT: []verifier.JWTConfig{{Issuer: own.URL}, {Issuer: partner.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	set := func(issuer string, count int) (held int) {
		for i := range count {
			if err := v.CutOff(verifier.Cutoff{Issuer: issuer, Subject: fmt.Sprint("user-", i)}); err == nil {
				held++
			} else if !errors.Is(err, verifier.ErrCutoffsFull) {
				t.Error(err)
			}
		}
		return held
	}
	if held := set(partner.URL, 20); held != 5 {
		t.Errorf("the partner has %d", held)
	}
	if held := set(own.URL, 5); held != 5 {
		t.Errorf("the own issuer has %d", held)
	}
}
