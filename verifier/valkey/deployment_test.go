package valkey_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"
)

// TestDocumentedACL: a user with the rights in the package documentation can do all that is
// needed, and nothing else with the keys of others.
func TestDocumentedACL(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for line := range strings.Lines(string(doc)) {
		if _, after, ok := strings.Cut(line, "ACL SETUSER drawbridge on >… "); ok {
			rules = strings.Fields(after)
		}
	}
	if len(rules) == 0 {
		t.Fatal("the documentation has no ACL")
	}
	s := startServer(t)
	s.do(append([]string{"ACL", "SETUSER", "drawbridge", "on", ">p"}, rules...)...)
	client := s.client(func(o *rueidis.ClientOption) {
		o.Username, o.Password = "drawbridge", "p"
		o.DisableCache, o.ForceSingleClient = false, false
	})
	recovers(t, newStore(t, client), "1")
	first, second := hurried(t, client), hurried(t, client)
	eventually(t, second.Ready)
	first.record(t, subject("ada"))
	eventually(t, func() error { return second.has(subject("ada")) })
	if log := first.log.String() + second.log.String(); log != "" {
		t.Errorf("the log has\n%s", log)
	}
	if err := client.Do(t.Context(), client.B().Set().Key("other").Value("x").Build()).Error(); err == nil {
		t.Error("the user may write another key")
	}
}

// freePort returns a port below those that the kernel gives to connections.
func freePort(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			listener.Close()
			return port
		}
	}
	tb.Fatal("no port is free")
	return ""
}

// TestCluster: the client of a cluster does the same, on the node that has the key.
func TestCluster(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	s := startServer(t, "--port", port, "--cluster-port", freePort(t), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-config-file", "nodes")
	s.do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	eventually(t, func() error {
		if info := s.do("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
			return errors.New(info)
		}
		return nil
	})
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + port}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if client.Mode() != rueidis.ClientModeCluster {
		t.Fatalf("the client is %s", client.Mode())
	}
	store := newStore(t, client)
	for i := range 20 {
		if err := use(store, "k", strconv.Itoa(i)); err != nil {
			t.Error(err)
		}
		if err := use(store, "k", strconv.Itoa(i)); !errors.Is(err, proof.ErrUsed) {
			t.Errorf("got %v", err)
		}
	}
	r := startReplica(t, client)
	r.record(t, subject("ada"))
	late := startReplica(t, client)
	if err := late.has(subject("ada")); err != nil {
		t.Error(err)
	}
	s.do("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
	store.ForgetPolicy()
	wantUnavailable(t, store, "allkeys-lru")
}

// TestMemory: the documentation says how much of the server a record takes.
func TestMemory(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := newStore(t, s.client())
	replica := newReplica(t, s.client())
	used := func() int {
		n, _ := strconv.Atoi(s.info("memory", "used_memory_dataset"))
		overhead, _ := strconv.Atoi(s.info("memory", "used_memory_overhead"))
		return n + overhead
	}
	const count = 8_192
	before := used()
	for i := range count {
		if err := use(store, "k", strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	perProof := (used() - before) / count
	before = used()
	for i := range count {
		replica.record(t, subject(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)))
	}
	perCutoff := (used() - before) / count
	t.Logf("a proof takes %d bytes, a cut-off %d", perProof, perCutoff)
	if perProof > 250 || perCutoff > 150 {
		t.Error("that is more than the documentation says")
	}
}
