package verifier_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// An attackServer is what tokens point at. It must not be reached.
type attackServer struct {
	issuer   *authtest.Issuer // of the attacker, which serves the keys that signed
	listener net.Listener
	reached  atomic.Int64
}

func newAttackServer(t *testing.T, keys *attackKeys) *attackServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &attackServer{issuer: authtest.NewIssuer(t), listener: listener}
	s.issuer.HandleKeySet(authtest.Answer(200, "application/json", (&attackKeys{published: keys.strange}).keySet()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.reached.Add(1)
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		s.isUntouched(t)
	})
	return s
}

func (s *attackServer) isUntouched(t *testing.T) {
	t.Helper()
	if n := s.reached.Load(); n != 0 {
		t.Errorf("R8725-3.10: %d connections to the listener", n)
	}
	if n := requestsOf(s.issuer); n != 0 {
		t.Errorf("R8725-3.10: %d requests to the issuer of the attacker", n)
	}
}

// requestsOf returns the number of requests to an issuer.
func requestsOf(i *authtest.Issuer) int {
	return i.DiscoveryRequests() + i.KeySetRequests() + i.TokenRequests() + i.IntrospectionRequests()
}

// TestAttacks verifies the tokens of testdata/tokens.json, each with a verifier that has
// just accepted a good token with the same header. It looks at everything that a token
// can have an effect on: the result, the log, the requests that it causes, what a caller
// reads, and the tokens that come afterwards.
func TestAttacks(t *testing.T) {
	keys := newAttackKeys(t)
	server := newAttackServer(t, keys)
	for _, r := range vectors.Read[tokenRecipe](t, "testdata/tokens.json") {
		t.Run(r.ID, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: 100, JWT: []verifier.JWTConfig{{AcceptTypeJWT: r.AcceptTypeJWT}}})
			f.issuer.HandleKeySet(authtest.Answer(200, "application/json", keys.keySet()))
			w := &tokenWorkshop{keys, f, map[string]string{
				"$issuer": f.issuer.URL, "$api": api, "$attacker": server.issuer.URL, "$listener": "http://" + server.listener.Addr().String(),
			}}
			runAttack(t, w, r)
			server.isUntouched(t)
		})
	}
}

func runAttack(t *testing.T, w *tokenWorkshop, r tokenRecipe) {
	t.Helper()
	f := w.fixture
	good := w.build(t, tokenRecipe{Key: r.Key, AcceptTypeJWT: r.AcceptTypeJWT})
	before, err := f.verify(t, good)
	if err != nil {
		t.Fatalf("a good token: %v", err)
	}
	raw := w.build(t, r)
	f.Advance(coolDown) // so that nothing but the rules keeps the verifier from fetching
	requests := requestsOf(f.issuer)
	info, err := f.verify(t, raw)
	f.verifier.AwaitFetch()
	if got := requestsOf(f.issuer) - requests; got != 2*r.Fetches { // of the metadata, and of the keys
		t.Errorf("%d requests to the issuer, want %d", got, 2*r.Fetches)
	}
	reason := w.filler(r)(r.Reason)
	switch r.Want {
	case "accepted":
		if err != nil {
			t.Fatalf("got %v, want facts", err)
		}
		checkFacts(t, info, before, r.Facts)
	case "invalid":
		if !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %+v and %v, want an invalid token because of %q", info, err, reason)
		}
	default:
		t.Fatalf("there is no result %q", r.Want)
	}
	checkStage(t, w, r, raw, err)
	checkGuard(t, w, r, raw)
	after, err := f.verify(t, good)
	if err != nil || after != before {
		t.Errorf("a good token afterwards: got %p and %v, want the same %p", after, err, before)
	}
}

// checkStage checks when a token is refused. One that is refused without a key causes no
// request of a verifier that has none, and takes little memory. What is found after the
// signature is not told about a token that is forged.
func checkStage(t *testing.T, w *tokenWorkshop, r tokenRecipe, raw string, want error) {
	t.Helper()
	f := w.fixture
	switch r.Stage {
	case "":
	case "early":
		cold, err := verifier.NewAt(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: f.issuer.URL, AcceptTypeJWT: r.AcceptTypeJWT}}}, f.Now)
		if err != nil {
			t.Fatal(err)
		}
		requests := requestsOf(f.issuer)
		if _, err := cold.VerifyToken(t.Context(), raw, nil); err == nil || err.Error() != want.Error() {
			t.Errorf("without keys: got %v, want %v", err, want)
		}
		if got := requestsOf(f.issuer) - requests; got != 0 {
			t.Errorf("without keys: %d requests to the issuer", got)
		}
		ctx := t.Context()
		if used := bytesPerRun(5, func() { _, _ = f.verifier.VerifyToken(ctx, raw, nil) }); used > hostileMemory {
			t.Errorf("%d bytes, want at most %d", used, hostileMemory)
		}
	case "late":
		r.Signer = "stranger"
		if _, err := f.verify(t, w.build(t, r)); !errors.Is(err, token.ErrInvalid) || !strings.Contains(err.Error(), "the signature is wrong") {
			t.Errorf("forged: got %v", err)
		}
	default:
		t.Fatalf("there is no stage %q", r.Stage)
	}
}

// checkFacts compares the facts of a token with those of a good one, save what differs.
func checkFacts(t *testing.T, got, good *token.Info, differs *tokenFacts) {
	t.Helper()
	want := *good
	want.Confirmation = got.Confirmation
	if differs != nil {
		if differs.NoClient {
			want.ClientID = ""
		}
		if differs.NoExpiry {
			want.Expiry = time.Time{}
		}
		if differs.Subject != "" {
			want.Subject = differs.Subject
		}
		if differs.ClientID != "" {
			want.ClientID = differs.ClientID
		}
		if differs.Audience != nil {
			want.Audience = differs.Audience
		}
		if differs.Scopes != nil {
			want.Scopes = differs.Scopes
		}
		if differs.Expiry != 0 {
			whole, fraction := math.Modf(differs.Expiry)
			want.Expiry = time.Unix(int64(whole), int64(fraction*1e9)).UTC()
		}
	}
	if len(want.Scopes) == 0 && len(got.Scopes) == 0 {
		want.Scopes = got.Scopes // none is none
	}
	want.IssuedAt, want.Party = got.IssuedAt, got.Party
	if !reflect.DeepEqual(got, &want) {
		t.Errorf("got  %+v\nwant %+v", got, &want)
	}
}

// checkGuard sends the token to an Authorizer. What the caller reads depends on the
// reason alone: it is byte for byte what the caller of another such token reads.
func checkGuard(t *testing.T, w *tokenWorkshop, r tokenRecipe, raw string) {
	t.Helper()
	f := w.fixture
	f.Advance(coolDown)
	want := cmp.Or(r.Guard, map[string]string{"accepted": "accepted", "invalid": "invalid_token"}[r.Want])
	denial := newGuard(t, f.verifier, f.issuer.URL).decide(t, raw)
	if denial == nil {
		if want != "accepted" {
			t.Errorf("the Authorizer accepts the token, want %s", want)
		}
		return
	}
	if got := denial.Reason.String(); got != want {
		t.Fatalf("the Authorizer says %s because of %v, want %s", got, denial.Cause, want)
	}
	another := func(name, value string) *challenge.DenialError {
		raw := w.build(t, tokenRecipe{Key: r.Key, AcceptTypeJWT: r.AcceptTypeJWT, Claims: map[string]json.RawMessage{name: quoted(value)}})
		return newGuard(t, f.verifier, f.issuer.URL).decide(t, raw)
	}
	var like *challenge.DenialError
	switch {
	case denial.Challenge.ErrorDescription == challenge.WrongAudience:
		like = another("aud", "https://other.example.com")
	case want == "insufficient_scope":
		like = another("scope", "x")
	case want == "invalid_request":
		like = newGuard(t, f.verifier, f.issuer.URL).decide(t, "A B")
	default:
		like = newGuard(t, classOnly{token.ErrInvalid}, f.issuer.URL).decide(t, "AA")
	}
	if got, want := answerOf(denial), answerOf(like); got != want {
		t.Errorf("the caller reads\n%s\nwant\n%s", got, want)
	}
}

// TestAttackCorpus checks that the corpus has what it should have: enough of it, each
// recipe once, and with the reason why the token is refused.
func TestAttackCorpus(t *testing.T) {
	accepted := 0
	var ids []string
	for _, r := range vectors.Read[tokenRecipe](t, "testdata/tokens.json") {
		if slices.Contains(ids, r.ID) {
			t.Errorf("%s is there twice", r.ID)
		}
		ids = append(ids, r.ID)
		if r.Comment == "" || len(r.Requires) == 0 {
			t.Errorf("%s has no comment or no requirement", r.ID)
		}
		if r.Want == "accepted" {
			accepted++
		} else if len(r.Reason) < 3 {
			t.Errorf("%s has no reason", r.ID)
		}
	}
	if len(ids) < 150 || accepted < 30 {
		t.Errorf("%d tokens, of which %d are accepted", len(ids), accepted)
	}
}
