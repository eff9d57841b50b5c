package valkey_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// A world is two replicas of an HTTP server, which share a server of keys.
type world struct {
	base      string
	issuer    *authtest.Issuer
	key       *authtest.ProofKey
	verifiers []*verifier.Verifier
	cutoffs   []*valkey.Cutoffs
	urls      []string
	log       logs
}

func newWorld(t *testing.T, s *server) *world {
	t.Helper()
	w := &world{base: "https://api.example.com", issuer: authtest.NewIssuer(t), key: authtest.NewProofKey(t, "ES256")}
	for range 2 {
		tokens, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: w.issuer.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		client := s.client()
		dpop, err := proof.NewDPoP(proof.DPoPConfig{Store: newStore(t, client)})
		if err != nil {
			t.Fatal(err)
		}
		authorizer, err := drawbridge.New(drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: w.base, AuthorizationServers: []string{w.issuer.URL}}},
			Policy: policy.Policy{Services: map[string]policy.Service{
				"shop": {Rule: policy.Rule{Scopes: []string{"shop:read"}}, NoDescriptor: true},
			}},
			Verifier: tokens,
			Bindings: map[string]token.Binding{"jkt": dpop},
			Logger:   slog.New(slog.NewTextHandler(&w.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
		if err != nil {
			t.Fatal(err)
		}
		served := httptest.NewServer(bridge.Protect("shop", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		t.Cleanup(served.Close)
		w.verifiers, w.urls = append(w.verifiers, tokens), append(w.urls, served.URL)
		w.cutoffs = append(w.cutoffs, startReplica(t, client, func(c *valkey.CutoffsConfig) { c.Apply, c.Timeout = tokens.CutOff, time.Second }).Cutoffs)
	}
	return w
}

func (w *world) mint(confirmation map[string]any) string {
	return w.issuer.Mint(authtest.Token{Audience: []string{w.base}, Scope: "shop:read", Lifetime: time.Hour, Confirmation: confirmation})
}

// get sends a request to a replica, and returns the status and the challenge.
func (w *world) get(t *testing.T, replica int, raw, proved string) (status int, challenge string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.urls[replica]+"/items", http.NoBody)
	r.Host = strings.TrimPrefix(w.base, "https://")
	r.Header = http.Header{"Authorization": {"DPoP " + raw}, "Dpop": {proved}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode, strings.Join(answer.Header.Values("WWW-Authenticate"), ", ")
}

// TestReplayAtAnotherReplica: a proof is accepted once by two servers together. When the
// server of keys is down, it is not accepted, and the client is not blamed.
func TestReplayAtAnotherReplica(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	w := newWorld(t, s)
	raw := w.mint(w.key.Confirmation())
	prove := func() string {
		return w.key.Prove(authtest.Proof{Method: http.MethodGet, URL: w.base + "/items", AccessToken: raw})
	}
	proved := prove()
	if status, challenge := w.get(t, 0, raw, proved); status != http.StatusOK {
		t.Fatalf("R9449-7.1: got %d %s", status, challenge)
	}
	for replica := range w.urls {
		status, challenge := w.get(t, replica, raw, proved)
		if status != http.StatusUnauthorized || !strings.Contains(challenge, "DPoP ") || !strings.Contains(challenge, `error="invalid_dpop_proof"`) {
			t.Errorf("R9449-11.1 replayed at %d: got %d %s", replica, status, challenge)
		}
	}
	proved = prove()
	s.stop()
	for replica := range w.urls {
		if status, challenge := w.get(t, replica, raw, proved); status != http.StatusServiceUnavailable || challenge != "" {
			t.Errorf("down, at %d: got %d %s", replica, status, challenge)
		}
	}
	if n := w.log.count("proof store", "valkey: the proof cannot be recorded"); n != 2 {
		t.Errorf("%d records have the cause:\n%s", n, w.log.String())
	}
	s.start()
	for replica := range w.urls {
		eventually(t, w.cutoffs[replica].Ready)
	}
	eventually(t, func() error {
		if status, _ := w.get(t, 0, raw, prove()); status != http.StatusOK {
			return http.ErrAbortHandler
		}
		return nil
	})
	eventually(t, func() error {
		return w.cutoffs[1].CutOff(t.Context(), verifier.Cutoff{Issuer: w.issuer.URL, Subject: "user-1"})
	})
	eventually(t, func() error {
		if status, _ := w.get(t, 0, raw, prove()); status != http.StatusUnauthorized {
			return http.ErrAbortHandler
		}
		return nil
	})
}

// TestRecordOutlivesProof: a record is held until a replica whose clock is behind by 30 s
// refuses a proof that was accepted with an iat as far ahead as is tolerated (R9449-11.1).
func TestRecordOutlivesProof(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	w := newWorld(t, s)
	raw := w.mint(w.key.Confirmation())
	const (
		lifetime, leeway = time.Minute, 30 * time.Second // the defaults
		behind           = 30 * time.Second
	)
	issued := time.Now().Add(leeway - 5*time.Second)
	proved := w.key.Prove(authtest.Proof{Method: http.MethodGet, URL: w.base + "/items", AccessToken: raw, ID: "jti-1", IssuedAt: issued})
	if status, challenge := w.get(t, 0, raw, proved); status != http.StatusOK {
		t.Fatalf("got %d %s", status, challenge)
	}
	left, _ := strconv.Atoi(s.do("PTTL", "drawbridge:proof:"+w.key.Thumbprint()+":"+hashOf("jti-1")))
	end := time.Now().Add(time.Duration(left) * time.Millisecond)
	if last := issued.Add(lifetime + leeway + behind); end.Before(last) {
		t.Errorf("the record ends %v before the proof", last.Sub(end))
	}
}

// TestLogoutReachesAll: a back-channel logout that one replica receives ends the session at
// all, and is answered with 503 if it does not reach them.
func TestLogoutReachesAll(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	w := newWorld(t, s)
	raw := w.mint(w.key.Confirmation())
	logout, err := w.verifiers[0].LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"client-1"}, CutOff: w.cutoffs[0].CutOff})
	if err != nil {
		t.Fatal(err)
	}
	send := func(form string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/logout", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		logout.ServeHTTP(answer, r)
		return answer.Code
	}
	form := "logout_token=" + w.issuer.Mint(authtest.Token{Shape: authtest.ShapeLogoutToken, Audience: []string{"client-1"}})
	s.stop()
	if status := send(form); status != http.StatusServiceUnavailable {
		t.Errorf("down: got %d", status)
	}
	s.start()
	eventually(t, func() error {
		if status := send(form); status != http.StatusOK {
			return http.ErrAbortHandler
		}
		return nil
	})
	eventually(t, func() error {
		_, err := w.verifiers[1].VerifyToken(t.Context(), raw, &token.Resource{Identifier: w.base})
		if !errors.Is(err, token.ErrInvalid) {
			return fmt.Errorf("got %v", err) //nolint:errorlint // It may be nil.
		}
		return nil
	})
}
