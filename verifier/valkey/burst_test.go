package valkey_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// TestBurst: however many proofs come at once, a server that answers decides about each, also
// with DangerouslyAcceptWhileDown.
func TestBurst(t *testing.T) {
	t.Parallel()
	const count = 2*valkey.MaxPending + 500
	s := startServer(t)
	for _, dangerous := range []bool{false, true} {
		store, err := valkey.NewProofStore(valkey.ProofStoreConfig{
			Client: s.client(), Prefix: fmt.Sprint(dangerous, ":"), Timeout: 20 * time.Second, DangerouslyAcceptWhileDown: dangerous,
		})
		if err != nil {
			t.Fatal(err)
		}
		other, err := valkey.NewProofStore(valkey.ProofStoreConfig{Client: s.client(), Prefix: fmt.Sprint(dangerous, ":"), Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(5 * time.Minute)
		burst := func(store *valkey.ProofStore) (accepted, used int64) {
			var fresh, known atomic.Int64
			var calls sync.WaitGroup
			for i := range count {
				calls.Go(func() {
					switch err := store.Consume(t.Context(), strings.Repeat("k", 43), fmt.Sprintf("%043d", i), until); {
					case err == nil:
						fresh.Add(1)
					case errors.Is(err, proof.ErrUsed):
						known.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			calls.Wait()
			return fresh.Load(), known.Load()
		}
		if accepted, _ := burst(other); accepted != count {
			t.Errorf("%d of %d proofs are accepted", accepted, count)
		}
		if _, used := burst(store); used != count || store.AcceptedWhileDown() != 0 {
			t.Errorf("%d of %d used proofs are refused", used, count)
		}
	}
}
