package valkey_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// exampleClient returns the client of a new server. A program would have
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"redis:6379"}})
func exampleClient() (client rueidis.Client, stop func(), err error) {
	dir, err := os.MkdirTemp("", "valkey")
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "socket")
	server := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "")
	if err := server.Start(); err != nil {
		return nil, nil, err
	}
	dial := func(ctx context.Context, _ string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", socket)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{socket}, DialCtxFn: dial, DisableCache: true})
		if err == nil {
			break
		}
	}
	return client, func() {
		if client != nil {
			client.Close()
		}
		server.Process.Kill()
		server.Wait()
		os.RemoveAll(dir)
	}, err
}

// A server whose replicas accept a proof once together, and of which each learns of the
// cut-offs of all. It serves when it knows them.
func Example() {
	client, stop, err := exampleClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	store, err := valkey.NewProofStore(valkey.ProofStoreConfig{Client: client})
	if err != nil {
		fmt.Println(err)
		return
	}
	dpop, err := proof.NewDPoP(proof.DPoPConfig{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: "https://login.example.com"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	cutoffs, err := valkey.NewCutoffs(valkey.CutoffsConfig{Client: client, Apply: tokens.CutOff})
	if err != nil {
		fmt.Println(err)
		return
	}
	go cutoffs.Follow(ctx)
	logout, err := tokens.LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"shop"}, CutOff: cutoffs.CutOff})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A drawbridge.Config takes tokens as its Verifier, and these as its Bindings.
	bindings := map[string]token.Binding{"jkt": dpop}
	mux := http.NewServeMux()
	mux.Handle("/logout", logout)
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := errors.Join(cutoffs.Ready(), store.Check(r.Context())); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})

	for cutoffs.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(len(bindings), cutoffs.CutOff(ctx, verifier.Cutoff{Issuer: "https://login.example.com", Subject: "ada"}))
	// Output: 1 <nil>
}

// Each proof is accepted by one of the stores that share a server.
func ExampleProofStore() {
	client, stop, err := exampleClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	for range 2 {
		replica, err := valkey.NewProofStore(valkey.ProofStoreConfig{Client: client})
		if err != nil {
			fmt.Println(err)
			return
		}
		// A proof.DPoP calls it, when the proof is good.
		fmt.Println(replica.Consume(context.Background(), hashOf("key"), hashOf("jti"), time.Now().Add(time.Minute)))
	}
	// Output:
	// <nil>
	// the jti was used before
}
