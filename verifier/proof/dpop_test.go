package proof_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// TestZeroDPoPConfig: the zero configuration accepts each proof once.
func TestZeroDPoPConfig(t *testing.T) {
	t.Parallel()
	d, err := proof.NewDPoP(proof.DPoPConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key := authtest.NewProofKey(t, "")
	info := &token.Info{Confirmation: key.Confirmation()}
	req := request(key.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw}))
	if err := checkBinding(t, d, info, req); err != nil {
		t.Fatal(err)
	}
	wantReplay(t, checkBinding(t, d, info, req))
}

// TestScheme: the scheme and the algorithms of the challenge (R9449-7.1).
func TestScheme(t *testing.T) {
	t.Parallel()
	algorithms := []string{"ES512", "PS384"}
	for _, row := range []struct{ config, want []string }{
		{nil, []string{"ES256", "EdDSA", "PS256", "RS256"}},
		{algorithms, []string{"ES512", "PS384"}},
	} {
		d := newDPoPFixture(t, proof.DPoPConfig{Algorithms: row.config}).dpop
		if row.config != nil {
			row.config[0] = "none" // The slice was copied.
		}
		for range 2 {
			name, got := d.ValidateOnly().Scheme()
			if name != "DPoP" || !slices.Equal(got, row.want) {
				t.Errorf("R9449-7.1: got %s %q, want %q", name, got, row.want)
			}
			got[0] = "none" // It is the caller's own.
		}
	}
}

// TestDPoPAlgorithms: each algorithm is accepted with a key of its kind, from
// go-jose as the client, and refused with the default where that lacks it.
func TestDPoPAlgorithms(t *testing.T) {
	t.Parallel()
	private := make(map[string]any)
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		private[name] = must(ecdsa.GenerateKey(curve, rand.Reader))
	}
	private["PS"] = must(rsa.GenerateKey(rand.Reader, 2048))
	private["PS384"], private["PS512"], private["RS256"], private["RS384"], private["RS512"] = private["PS"], private["PS"], private["PS"], private["PS"], private["PS"]
	delete(private, "PS")
	private["PS256"] = must(rsa.GenerateKey(rand.Reader, 4096))
	usual := newDPoPFixture(t, proof.DPoPConfig{})
	for name, key := range private {
		t.Run("R9449-4.3 "+name, func(t *testing.T) {
			f := newDPoPFixture(t, proof.DPoPConfig{Algorithms: []string{name}})
			options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
			signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(name), Key: key}, options))
			public := jose.JSONWebKey{Key: key.(crypto.Signer).Public()}
			info := &token.Info{Confirmation: map[string]any{"jkt": encode(must(public.Thumbprint(crypto.SHA256)))}}
			prove := func(id string) token.Request {
				claims := map[string]any{"htm": "POST", "htu": listItems, "jti": id, "ath": hashOf(boundRaw), "iat": f.Now().Unix()}
				return request(must(jwt.Signed(signer).Claims(claims).Serialize()))
			}
			for i := range 3 {
				if err := checkBinding(t, f.dpop, info, prove(strconv.Itoa(i))); err != nil {
					t.Error(err)
				}
			}
			if f.dpop.Known() != 1 {
				t.Errorf("%d headers are known", f.dpop.Known())
			}
			_, algorithms := usual.dpop.Scheme()
			err := checkBinding(t, usual.dpop, info, prove("other"))
			if slices.Contains(algorithms, name) != (err == nil) {
				t.Errorf("with the default: %v", err)
			}
		})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestReplay: a jti is accepted once for a key, whatever else differs
// (R9449-11.1).
func TestReplay(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	raw := f.prove(func(p *authtest.Proof) { p.ID = "a" })
	if err := f.check(t, raw); err != nil {
		t.Fatal(err)
	}
	wantReplay(t, f.check(t, raw))
	wantReplay(t, f.check(t, malleable(raw)))
	wantReplay(t, f.check(t, f.prove(func(p *authtest.Proof) { p.ID, p.IssuedAt = "a", f.Now().Add(-time.Second) })))
	wantReplay(t, f.check(t, f.prove(func(p *authtest.Proof) { p.ID, p.URL = "a", listItems+"?again" })))
	if err := f.check(t, f.prove(func(p *authtest.Proof) { p.ID = "A" })); err != nil {
		t.Errorf("another jti: %v", err)
	}
	other := authtest.NewProofKey(t, "EdDSA")
	req := request(other.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now(), ID: "a"}))
	if err := checkBinding(t, f.dpop, &token.Info{Confirmation: other.Confirmation()}, req); err != nil {
		t.Errorf("the jti of another client: %v", err)
	}
	// As long as a proof is not too old it is a replay.
	f.Advance(90 * time.Second)
	wantReplay(t, f.check(t, raw))
	f.Advance(1)
	wantCode(t, f.check(t, raw), "invalid_dpop_proof", "iat is 1m30s ago")
	f.Advance(65 * time.Second) // for the clocks of replicas
	if err := f.check(t, f.prove()); err != nil {
		t.Error(err)
	}
	if records, keys := f.store.Records(); records != 1 || keys != 1 {
		t.Errorf("%d records of %d keys", records, keys)
	}
}

// TestValidateOnly: a gate in front leaves the jti for the server behind it
// (R9449-11.1).
func TestValidateOnly(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	gate, raw := f.dpop.ValidateOnly(), f.prove()
	for range 2 {
		if err := checkBinding(t, gate, f.info, request(raw)); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, checkBinding(t, gate, f.info, request(authtest.Tamper(raw))), "invalid_dpop_proof", "the signature is wrong")
	if err := f.check(t, raw); err != nil {
		t.Errorf("behind the gate: %v", err)
	}
	wantReplay(t, f.check(t, raw))
	if err := checkBinding(t, gate, f.info, request(raw)); err != nil {
		t.Errorf("the gate asked the store: %v", err)
	}
}

func TestDangerouslyAllowReplay(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{DangerouslyAllowReplay: true})
	raw := f.prove()
	for range 3 {
		if err := f.check(t, raw); err != nil {
			t.Error(err)
		}
	}
	f.Advance(2 * time.Minute)
	wantCode(t, f.check(t, raw), "invalid_dpop_proof", "iat is")
}

// TestStoreArguments: a Store gets names of constant length, and learns until when
// the proof could be sent again (R9449-11.1).
func TestStoreArguments(t *testing.T) {
	t.Parallel()
	type call struct {
		key, id string
		until   time.Time
	}
	var calls []call
	store := storeFunc(func(ctx context.Context, key, id string, until time.Time) error {
		if ctx.Value(call{}) != "here" {
			t.Error("another context")
		}
		calls = append(calls, call{key, id, until})
		return nil
	})
	f := newDPoPFixture(t, proof.DPoPConfig{Store: store, Lifetime: 10 * time.Second, Leeway: 2 * time.Second})
	for _, id := range []string{"a", strings.Repeat("x", 256), "ü\n\x00 :*"} {
		issued := f.Now().Add(time.Duration(len(id)) * -time.Second / 100).Truncate(time.Second)
		raw := f.prove(func(p *authtest.Proof) { p.ID, p.IssuedAt = id, issued })
		calls = nil
		if err := f.dpop.CheckBinding(context.WithValue(t.Context(), call{}, "here"), f.info, request(raw)); err != nil {
			t.Fatal(err)
		}
		if want := (call{f.key.Thumbprint(), hashOf(id), f.Now().Add(21 * time.Second)}); len(calls) != 1 || calls[0].key != want.key || calls[0].id != want.id || !calls[0].until.Equal(want.until) {
			t.Errorf("got %v, want %v", calls, want)
		}
	}
}

// TestStoreCannotTell: a Store that fails is not a reason to accept a proof, or to
// blame the client (R9449-11.1, RPC-2).
func TestStoreCannotTell(t *testing.T) {
	t.Parallel()
	var fault error
	f := newDPoPFixture(t, proof.DPoPConfig{Store: storeFunc(func(context.Context, string, string, time.Time) error { return fault })})
	for _, row := range []struct {
		name  string
		fault error
		want  string
	}{
		{"RPC-2 another error", errors.New("no connection"), "unavailable"},
		{"RPC-2 a deadline", context.DeadlineExceeded, "unavailable"},
		{"RPC-2 a long error", errors.New(strings.Repeat("x\n", 1000)), "unavailable"},
		{"R9449-11.1 wrapped", fmt.Errorf("valkey: %w", proof.ErrUsed), "invalid_dpop_proof"},
		{"R9449-11.1 long", fmt.Errorf("%s %w", strings.Repeat("x\n", 1000), proof.ErrUsed), "invalid_dpop_proof"},
		{"nothing", nil, ""},
	} {
		fault = row.fault
		err := f.check(t, f.prove())
		wantCode(t, err, row.want, "")
		if !errors.Is(err, row.fault) {
			t.Errorf("%s: %v does not unwrap to %v", row.name, err, row.fault)
		}
	}
}

// TestFlood: a client that sends more proofs than its quota is refused alone, and
// for the time that they are remembered (R9449-11.1).
func TestFlood(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	store := newStore(t, proof.MemoryStoreConfig{Capacity: 100, KeyCapacity: 10}, f.Now)
	d := f.replica(t, proof.DPoPConfig{Store: store})
	other := authtest.NewProofKey(t, "")
	quiet := func() error {
		req := request(other.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now()}))
		return checkBinding(t, d, &token.Info{Confirmation: other.Confirmation()}, req)
	}
	for i := range 50 {
		err := checkBinding(t, d, f.info, request(f.prove()))
		if i < 10 {
			wantCode(t, err, "", "")
		} else {
			wantCode(t, err, "unavailable", "too many proofs of this key")
		}
		wantCode(t, checkBinding(t, d, f.info, request(authtest.Tamper(f.prove()))), "invalid_dpop_proof", "the signature is wrong")
	}
	if err := quiet(); err != nil {
		t.Errorf("another client: %v", err)
	}
	if records, keys := store.Records(); records != 11 || keys != 2 {
		t.Errorf("%d records of %d keys", records, keys)
	}
	f.Advance(2*time.Minute + 36*time.Second)
	if err := checkBinding(t, d, f.info, request(f.prove())); err != nil {
		t.Errorf("later: %v", err)
	}
}

// TestReplicaAhead: a replica whose clock is ahead by as much as Leeway tells the store long
// enough (R9449-11.1).
func TestReplicaAhead(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-30 * time.Second, 6 * time.Second, 30 * time.Second} {
		f := newDPoPFixture(t, proof.DPoPConfig{})
		clock := newStoppedClock() // of the server, which learns a duration
		records := make(map[string]time.Time)
		var now func() time.Time
		store := storeFunc(func(_ context.Context, _, id string, until time.Time) error {
			if clock.Now().Before(records[id]) {
				return proof.ErrUsed
			}
			records[id] = clock.Now().Add(until.Sub(now()))
			return nil
		})
		exact, err := proof.NewDPoPAt(proof.DPoPConfig{Store: store}, f.Now)
		if err != nil {
			t.Fatal(err)
		}
		other := func() time.Time { return f.Now().Add(ahead) }
		replica, err := proof.NewDPoPAt(proof.DPoPConfig{Store: store}, other)
		if err != nil {
			t.Fatal(err)
		}
		// The clock of the client is ahead by Leeway, if this one is ahead, too.
		raw := f.prove(func(p *authtest.Proof) { p.IssuedAt = f.Now().Add(max(0, ahead)) })
		now = other
		if err := checkBinding(t, replica, f.info, request(raw)); err != nil {
			t.Fatal(err)
		}
		now = f.Now
		for range 200 {
			if err := checkBinding(t, exact, f.info, request(raw)); err == nil {
				t.Errorf("ahead by %v: accepted again", ahead)
			}
			f.Advance(time.Second)
			clock.Advance(time.Second)
		}
	}
}

// TestReplicas: three servers share a Store, and each jti is accepted by one of them
// (R9449-11.1).
func TestReplicas(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	var servers []*httptest.Server
	for range 3 {
		replica := f.replica(t, proof.DPoPConfig{Store: f.store})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req := token.Request{Method: r.Method, URL: listItems, Raw: boundRaw, Values: func(name string) []string { return r.Header[name] }}
			if err := replica.CheckBinding(r.Context(), f.info, req); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
			}
		}))
		t.Cleanup(server.Close)
		servers = append(servers, server)
	}
	const proofs = 20
	var accepted [proofs]atomic.Int64
	var group sync.WaitGroup
	for i := range proofs {
		raw := f.prove()
		for j := range 9 {
			group.Go(func() {
				r := must(http.NewRequestWithContext(t.Context(), http.MethodPost, servers[j%3].URL, nil))
				r.Header.Set("DPoP", raw)
				response, err := servers[j%3].Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer response.Body.Close()
				if response.StatusCode == http.StatusOK {
					accepted[i].Add(1)
				}
			})
		}
	}
	group.Wait()
	for i := range accepted {
		if n := accepted[i].Load(); n != 1 {
			t.Errorf("R9449-11.1: proof %d was accepted %d times", i, n)
		}
	}
}

// TestKnownHeaders: a header is remembered for a client whose signature was correct,
// and one place is enough for a client that varies it.
func TestKnownHeaders(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{})
	known := func(want int, why string) {
		t.Helper()
		if got := f.dpop.Known(); got != want {
			t.Errorf("%s: %d headers are known, want %d", why, got, want)
		}
	}
	for range 3 {
		wantCode(t, f.check(t, authtest.Tamper(f.prove())), "invalid_dpop_proof", "the signature is wrong")
	}
	known(0, "a wrong signature")
	for i := range 3 {
		if err := f.check(t, f.prove(func(p *authtest.Proof) { p.Header = map[string]any{"x": i} })); err != nil {
			t.Error(err)
		}
	}
	known(0, "another parameter")
	jwk := f.key.JWK()
	jwk["x"+strings.Repeat("x", 2000)] = 1
	if err := f.check(t, f.prove(func(p *authtest.Proof) { p.Header = map[string]any{"jwk": jwk} })); err != nil {
		t.Error(err)
	}
	known(0, "a long header")
	for i := range 20 {
		typ := []string{"dpop+jwt", "DPOP+JWT"}[i%2]
		if err := f.check(t, f.prove(func(p *authtest.Proof) { p.Header = map[string]any{"typ": typ} })); err != nil {
			t.Error(err)
		}
	}
	if err := f.check(t, f.prove()); err != nil {
		t.Error(err)
	}
	known(1, "two headers of a key")
	// It is not another key's.
	other := &token.Info{Confirmation: authtest.NewProofKey(t, "").Confirmation()}
	wantCode(t, checkBinding(t, f.dpop, other, request(f.prove())), "invalid_dpop_proof", "not the key to which the token is bound")
	// Nor that of a key with the same place.
	hash := must(base64.RawURLEncoding.DecodeString(f.key.Thumbprint()))
	hash[31] ^= 1
	other = &token.Info{Confirmation: map[string]any{"jkt": encode(hash)}}
	wantCode(t, checkBinding(t, f.dpop, other, request(f.prove())), "invalid_dpop_proof", "not the key to which the token is bound")
	for range 5 {
		key := authtest.NewProofKey(t, "")
		req := request(key.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now()}))
		if err := checkBinding(t, f.dpop, &token.Info{Confirmation: key.Confirmation()}, req); err != nil {
			t.Error(err)
		}
	}
	if got := f.dpop.Known(); got < 2 || got > 6 {
		t.Errorf("%d headers are known", got)
	}
}

// TestConcurrentClients: many clients at once, each with its own key.
func TestConcurrentClients(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, proof.DPoPConfig{NonceKeys: [][]byte{make([]byte, 32)}})
	nonce := refusalOf(t, f.check(t, f.prove())).Nonce
	var group sync.WaitGroup
	for range 20 {
		key := authtest.NewProofKey(t, "")
		info := &token.Info{Confirmation: key.Confirmation()}
		group.Go(func() {
			for range 10 {
				raw := key.Prove(authtest.Proof{Method: "POST", URL: listItems, AccessToken: boundRaw, IssuedAt: f.Now(), Nonce: nonce})
				if err := f.dpop.CheckBinding(t.Context(), info, request(raw)); err != nil {
					t.Error(err)
				}
				if err := f.dpop.CheckBinding(t.Context(), info, request(raw)); !errors.Is(err, proof.ErrUsed) {
					t.Errorf("a replay: %v", err)
				}
			}
		})
	}
	group.Wait()
}
