package proof_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

const (
	listItems = "https://api.example.com/shop.v1.ShopService/ListItems"
	boundRaw  = "header-of-the-token.claims-of-the-token.signature-of-the-token"
)

var encode = base64.RawURLEncoding.EncodeToString

// A stoppedClock stands still until it is advanced.
type stoppedClock struct{ nanos atomic.Int64 }

func newStoppedClock() *stoppedClock {
	c := new(stoppedClock)
	c.nanos.Store(time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).UnixNano())
	return c
}

func (c *stoppedClock) Now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *stoppedClock) Advance(d time.Duration) { c.nanos.Add(int64(d)) }

// A dpopFixture is a DPoP, a client with a key, and a token that is bound to it.
type dpopFixture struct {
	*stoppedClock

	dpop  *proof.DPoP
	store *proof.MemoryStore // nil if the configuration has another
	key   *authtest.ProofKey
	info  *token.Info
}

func newDPoPFixture(t testing.TB, config proof.DPoPConfig) *dpopFixture {
	t.Helper()
	f := &dpopFixture{stoppedClock: newStoppedClock(), key: authtest.NewProofKey(t, "ES256")}
	f.info = &token.Info{Subject: "ada", Confirmation: f.key.Confirmation()}
	if config.Store == nil && !config.DangerouslyAllowReplay {
		f.store = newStore(t, proof.MemoryStoreConfig{}, f.Now)
		config.Store = f.store
	}
	f.dpop = f.replica(t, config)
	return f
}

// replica returns a DPoP with the clock of the fixture.
func (f *dpopFixture) replica(t testing.TB, config proof.DPoPConfig) *proof.DPoP {
	t.Helper()
	d, err := proof.NewDPoPAt(config, f.Now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newStore(t testing.TB, config proof.MemoryStoreConfig, now func() time.Time) *proof.MemoryStore {
	t.Helper()
	store, err := proof.NewMemoryStoreAt(config, now)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// prove returns a good proof, altered as requested.
func (f *dpopFixture) prove(alter ...func(*authtest.Proof)) string {
	p := authtest.Proof{Method: http.MethodPost, URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now()}
	for _, a := range alter {
		a(&p)
	}
	return f.key.Prove(p)
}

// request returns a request with these proofs.
func request(proofs ...string) token.Request {
	header := http.Header{"Dpop": proofs}
	return token.Request{
		Method: http.MethodPost, URL: listItems, Raw: boundRaw,
		Values: func(name string) []string { return header[name] },
	}
}

func (f *dpopFixture) check(t testing.TB, raw string) error {
	t.Helper()
	return checkBinding(t, f.dpop, f.info, request(raw))
}

// checkBinding calls CheckBinding, and checks a property of every error.
func checkBinding(t testing.TB, d *proof.DPoP, info *token.Info, req token.Request) error {
	t.Helper()
	err := d.CheckBinding(t.Context(), info, req)
	checkDPoPError(t, err, append(req.Values("Dpop"), req.Raw)...)
	return err
}

// checkDPoPError checks that an error is of exactly one class, and that its text is
// fit for a log and has no part of the secrets.
func checkDPoPError(t testing.TB, err error, secrets ...string) {
	t.Helper()
	if err == nil {
		return
	}
	if errors.Is(err, token.ErrInvalid) == errors.Is(err, token.ErrUnavailable) {
		t.Errorf("the error is not of exactly one class: %v", err)
	}
	text := err.Error()
	if len(text) > 300 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the error has %d bytes: %q", len(text), text)
	}
	for _, secret := range secrets {
		for segment := range strings.SplitSeq(secret, ".") {
			if len(segment) > 20 && strings.Contains(text, segment) {
				t.Errorf("the error contains a secret: %v", err)
			}
		}
	}
	var refusal *token.ProofError
	if errors.As(err, &refusal) && refusal.Code != "invalid_dpop_proof" && refusal.Code != "use_dpop_nonce" {
		t.Errorf("the code is %q", refusal.Code)
	}
}

// codeOf returns the code of a ProofError, the text of the class of another error,
// and "" for nil.
func codeOf(err error) string {
	var refusal *token.ProofError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return refusal.Code
	case errors.Is(err, token.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, token.ErrInvalid):
		return "invalid_token"
	default:
		return "an unknown class"
	}
}

// wantCode checks the code of an error, and a part of its text.
func wantCode(t testing.TB, err error, code, reason string) {
	t.Helper()
	if got := codeOf(err); got != code || err != nil && !strings.Contains(err.Error(), reason) {
		t.Errorf("got %q: %v, want %q because of %q", got, err, code, reason)
	}
}

// wantReplay checks that an error is that of a proof which was used before.
func wantReplay(t testing.TB, err error) {
	t.Helper()
	wantCode(t, err, "invalid_dpop_proof", "the jti was used before")
	if !errors.Is(err, proof.ErrUsed) {
		t.Errorf("%v is not ErrUsed", err)
	}
}

func refusalOf(t testing.TB, err error) *token.ProofError {
	t.Helper()
	var refusal *token.ProofError
	if !errors.As(err, &refusal) {
		t.Fatalf("%v is not a ProofError", err)
	}
	return refusal
}

// A storeFunc is a Store.
type storeFunc func(ctx context.Context, key, id string, until time.Time) error

func (f storeFunc) Consume(ctx context.Context, key, id string, until time.Time) error {
	return f(ctx, key, id, until)
}

// members returns the JSON of an object without its braces.
func members(object any) string {
	document, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(document), "{"), "}")
}

// hashOf returns the ath of a token.
func hashOf(raw string) string {
	hash := sha256.Sum256([]byte(raw))
	return encode(hash[:])
}
