package valkey_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// newStore returns a ProofStore of a server.
func newStore(tb testing.TB, client rueidis.Client, changes ...func(*valkey.ProofStoreConfig)) *valkey.ProofStore {
	tb.Helper()
	config := valkey.ProofStoreConfig{Client: client, Timeout: patience}
	for _, change := range changes {
		change(&config)
	}
	store, err := valkey.NewProofStore(config)
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

// use uses a proof.
func use(store proof.Store, key, id string) error {
	return store.Consume(context.Background(), hashOf(key), hashOf(id), time.Now().Add(time.Minute))
}

// TestConsume: a jti is accepted once for each key and prefix (R9449-11.1), and its record
// ends by itself.
func TestConsume(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := s.client()
	store := newStore(t, client)
	other := newStore(t, client, func(c *valkey.ProofStoreConfig) { c.Prefix = "other:" })
	for _, row := range []struct {
		name    string
		store   *valkey.ProofStore
		key, id string
		want    error
	}{
		{"R9449-11.1 first", store, "k", "1", nil},
		{"R9449-11.1 again", store, "k", "1", proof.ErrUsed},
		{"another jti", store, "k", "2", nil},
		{"another key", store, "l", "1", nil},
		{"another prefix", other, "k", "1", nil},
		{"another prefix again", other, "k", "1", proof.ErrUsed},
	} {
		if err := use(row.store, row.key, row.id); !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
	name := "drawbridge:proof:" + hashOf("k") + ":" + hashOf("1")
	if left, _ := strconv.Atoi(s.do("PTTL", name)); left < 80_000 || left > 90_000 {
		t.Errorf("a record for one minute and 30 s ends after %d ms", left)
	}
	if s.do("GET", name) != "" || s.do("EXISTS", "other:proof:"+hashOf("k")+":"+hashOf("1")) != "1" {
		t.Error("the keys differ from the documentation")
	}
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, func() error {
		if n := s.do("DBSIZE"); n != "4" {
			return errors.New(n + " keys, not 4: that of Check remains")
		}
		return nil
	})
}

// TestConsumeEnds: a record is there until its end, and not for long after.
func TestConsumeEnds(t *testing.T) {
	t.Parallel()
	store := newStore(t, startServer(t).client())
	store.WithoutSkew()
	until := time.Now().Add(300 * time.Millisecond)
	key, id := hashOf("k"), hashOf("1")
	if err := store.Consume(t.Context(), key, id, until); err != nil {
		t.Fatal(err)
	}
	for {
		err := store.Consume(t.Context(), key, id, time.Now().Add(time.Minute))
		if err == nil {
			break
		}
		if !errors.Is(err, proof.ErrUsed) {
			t.Fatal(err)
		}
	}
	if now := time.Now(); now.Before(until) {
		t.Errorf("it ended %v early", until.Sub(now))
	}
}

// TestConsumeRefuses: what must not be recorded is refused without a command.
func TestConsumeRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	store := newStore(t, s.client())
	good := hashOf("x")
	for _, row := range []struct {
		name, key, id string
		lifetime      time.Duration
		want          string
	}{
		{"until is past", good, good, -time.Millisecond, "may have been removed"},
		{"until is far", good, good, 2 * time.Hour, "more than 1h0m0s"},
		{"no key", "", good, time.Minute, "43 characters"},
		{"a long key", good + "A", good, time.Minute, "43 characters"},
		{"no id", good, "", time.Minute, "43 characters"},
		{"a key that is an id", good + ":" + good, good, time.Minute, "43 characters"},
	} {
		err := store.Consume(t.Context(), row.key, row.id, time.Now().Add(row.lifetime))
		if err == nil || errors.Is(err, proof.ErrUsed) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Consume(ctx, good, good, time.Now().Add(time.Minute)); !errors.Is(err, context.Canceled) || !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("canceled: got %v", err)
	}
}

// TestConsumeConcurrently: of concurrent calls exactly one is accepted.
func TestConsumeConcurrently(t *testing.T) {
	t.Parallel()
	store := newStore(t, startServer(t).client())
	var accepted, used atomic.Int64
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			for i := range 50 {
				switch err := use(store, "k", strconv.Itoa(i)); {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, proof.ErrUsed):
					used.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if accepted.Load() != 50 || used.Load() != 99*50 {
		t.Errorf("accepted %d, refused %d", accepted.Load(), used.Load())
	}
}

// TestProofStoreConfig: all faults are reported at once.
func TestProofStoreConfig(t *testing.T) {
	t.Parallel()
	client := newServer(t).client()
	for _, row := range []struct {
		name   string
		config valkey.ProofStoreConfig
		want   []string
	}{
		{"nothing", valkey.ProofStoreConfig{}, []string{"Client"}},
		{"everything", valkey.ProofStoreConfig{Prefix: "a b", Timeout: -1}, []string{"Client", "Prefix", "Timeout"}},
		{"too much", valkey.ProofStoreConfig{Client: client, Prefix: strings.Repeat("p", 129), Timeout: time.Hour}, []string{"Prefix", "Timeout"}},
		{"a hash tag", valkey.ProofStoreConfig{Client: client, Prefix: "{p}"}, []string{"Prefix"}},
		{"a closing brace", valkey.ProofStoreConfig{Client: client, Prefix: "p}"}, []string{"Prefix"}},
		{"a prefix in another script", valkey.ProofStoreConfig{Client: client, Prefix: "ø:"}, []string{"Prefix"}},
		{"good", valkey.ProofStoreConfig{Client: client, Prefix: "p:", Timeout: time.Minute}, nil},
	} {
		_, err := valkey.NewProofStore(row.config)
		wantFaults(t, row.name, err, "valkey: ProofStoreConfig.", row.want)
	}
}

func wantFaults(t *testing.T, name string, err error, within string, want []string) {
	t.Helper()
	var got []string
	for f := range fault.All(err) {
		got = append(got, strings.TrimPrefix(f.Place, within))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}
