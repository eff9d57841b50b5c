package valkey_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// The processes of TestProcesses and the proofs that each of them has.
const (
	processCount = 3
	proofCount   = 10_000
	workerCount  = 16
	socketOfRace = "DRAWBRIDGE_VALKEY_RACE_SOCKET"
)

func TestMain(m *testing.M) {
	if socket := os.Getenv(socketOfRace); socket != "" {
		os.Exit(race(socket))
	}
	os.Exit(m.Run())
}

// hashOf returns a key or an id.
func hashOf(text string) string {
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// race is one of the processes. It says that it is ready, waits for a line, and uses all
// proofs in an order of its own. It prints each that was accepted, and the end.
func race(socket string) int {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{socket}, ForceSingleClient: true, DisableCache: true,
		DialCtxFn: func(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	store, err := valkey.NewProofStore(valkey.ProofStoreConfig{Client: client, Timeout: time.Minute})
	if err != nil {
		fmt.Fprintln(os.Stdout, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, "ready")
	if !bufio.NewScanner(os.Stdin).Scan() {
		return 1
	}
	key, until := hashOf("key"), time.Now().Add(10*time.Minute)
	order := rand.Perm(proofCount)
	var wait sync.WaitGroup
	for worker := range workerCount {
		wait.Go(func() {
			for i := worker; i < proofCount; i += workerCount {
				switch err := store.Consume(context.Background(), key, hashOf(strconv.Itoa(order[i])), until); {
				case err == nil:
					fmt.Fprintln(os.Stdout, "accepted", order[i])
				case !errors.Is(err, proof.ErrUsed):
					fmt.Fprintln(os.Stdout, "failed", err)
				}
			}
		})
	}
	wait.Wait()
	fmt.Fprintln(os.Stdout, "end")
	return 0
}

// TestProcesses: three processes that share a server use the same 10,000 proofs at once,
// and each proof is accepted by exactly one of them (R9449-11.1).
func TestProcesses(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	type process struct {
		lines *bufio.Scanner
		start func()
	}
	processes := make([]process, processCount)
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), socketOfRace+"="+s.socket)
		cmd.Stderr = os.Stderr
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Wait() })
		processes[i] = process{bufio.NewScanner(out), func() { fmt.Fprintln(in) }}
		if !processes[i].lines.Scan() || processes[i].lines.Text() != "ready" {
			t.Fatalf("got %q", processes[i].lines.Text())
		}
	}
	for _, p := range processes {
		p.start()
	}
	accepted := make([]int, proofCount)
	shares := make([]int, processCount)
	for i, p := range processes {
		last := ""
		for p.lines.Scan() {
			last = p.lines.Text()
			if number, ok := strings.CutPrefix(last, "accepted "); ok {
				n, _ := strconv.Atoi(number)
				accepted[n]++
				shares[i]++
			} else if last != "end" {
				t.Errorf("process %d: %s", i, last)
			}
		}
		if last != "end" {
			t.Errorf("process %d did not end", i)
		}
	}
	for n, count := range accepted {
		if count != 1 {
			t.Errorf("proof %d was accepted %d times", n, count)
		}
	}
	for i, share := range shares {
		if share == 0 || share == proofCount {
			t.Errorf("process %d accepted %d proofs: there was no race", i, share)
		}
	}
	t.Logf("%d proofs, used by %d processes: accepted %v", proofCount, processCount, shares)
}
