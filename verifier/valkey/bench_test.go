package valkey_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"
)

// newBenchmark returns a server on a port of loopback, as most are reached.
func newBenchmark(b *testing.B) proof.Store {
	b.Helper()
	port := freePort(b)
	startServer(b, "--port", port, "--bind", "127.0.0.1")
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + port}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	store := newStore(b, client)
	if err := use(store, "k", "first"); err != nil {
		b.Fatal(err)
	}
	return store
}

// ids makes the identifiers of proofs, none of them twice, without hashing.
type ids struct{ last atomic.Uint64 }

func (i *ids) next() string {
	id := []byte("0000000000000000000000000000000000000000000")
	number := strconv.AppendUint(nil, i.last.Add(1), 36)
	copy(id[len(id)-len(number):], number)
	return string(id)
}

// BenchmarkConsume is one proof after the other.
func BenchmarkConsume(b *testing.B) {
	store, key, until := newBenchmark(b), hashOf("k"), time.Now().Add(10*time.Minute)
	var made ids
	b.ReportAllocs()
	for b.Loop() {
		if err := store.Consume(context.Background(), key, made.next(), until); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConsumeUsed is a replay.
func BenchmarkConsumeUsed(b *testing.B) {
	store, key, until := newBenchmark(b), hashOf("k"), time.Now().Add(10*time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if err := store.Consume(context.Background(), key, hashOf("first"), until); !errors.Is(err, proof.ErrUsed) {
			b.Fatal(err)
		}
	}
}

// BenchmarkConsumeParallel is 64 requests at a time for each processor.
func BenchmarkConsumeParallel(b *testing.B) {
	store, key, until := newBenchmark(b), hashOf("k"), time.Now().Add(10*time.Minute)
	var made ids
	b.ReportAllocs()
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := store.Consume(context.Background(), key, made.next(), until); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkClient is the command alone, for comparison.
func BenchmarkClient(b *testing.B) {
	port := freePort(b)
	startServer(b, "--port", port, "--bind", "127.0.0.1")
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + port}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	var made ids
	b.ReportAllocs()
	for b.Loop() {
		command := client.B().Set().Key(made.next()).Value("").Nx().PxMilliseconds(600_000).Build()
		if err := client.Do(context.Background(), command).Error(); err != nil {
			b.Fatal(err)
		}
	}
}
