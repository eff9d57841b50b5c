package valkey_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// wantUnavailable checks that a proof is refused because the server cannot tell, and that
// Check and the log say why.
func wantUnavailable(t *testing.T, store *valkey.ProofStore, want string) {
	t.Helper()
	for what, err := range map[string]error{"Consume": use(store, "k", "new"), "Check": store.Check(t.Context())} {
		if !errors.Is(err, token.ErrUnavailable) || errors.Is(err, proof.ErrUsed) {
			t.Errorf("%s: got %v, want an ErrUnavailable", what, err)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
}

// recovers checks that proofs are accepted again. After a restart of the server, the first
// command over each connection of the client fails.
func recovers(t *testing.T, store *valkey.ProofStore, id string) {
	t.Helper()
	eventually(t, func() error {
		err := use(store, "k", id)
		if errors.Is(err, proof.ErrUsed) {
			return nil // A command that failed may have left the record.
		}
		return err
	})
	eventually(t, func() error { return store.Check(t.Context()) })
	wantUsed(t, store, id)
}

// wantUsed checks that a proof is refused, by the server.
func wantUsed(t *testing.T, store *valkey.ProofStore, id string) {
	t.Helper()
	eventually(t, func() error {
		switch err := use(store, "k", id); {
		case err == nil:
			t.Fatalf("%s was accepted again", id)
			return nil
		case errors.Is(err, proof.ErrUsed):
			return nil
		default:
			return err
		}
	})
}

// TestServerDown: proofs are refused while the server is down, at the start of the process
// and later. One that is restarted with its data knows what was used; one without accepts
// it once more, as the documentation says.
func TestServerDown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		args []string
		kept error
	}{
		{"with its data", []string{"--appendonly", "yes", "--appendfsync", "always"}, proof.ErrUsed},
		{"without its data", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, row.args...)
			store := newStore(t, s.client(func(o *rueidis.ClientOption) { o.PipelineMultiplex = -1 }))
			wantUnavailable(t, store, "socket")
			s.start()
			recovers(t, store, "1")
			s.stop()
			wantUnavailable(t, store, "")
			s.start()
			recovers(t, store, "2")
			if err := use(store, "k", "1"); !errors.Is(err, row.kept) || (err == nil) != (row.kept == nil) {
				t.Errorf("used before the restart: got %v", err)
			}
		})
	}
}

// TestServerSlow: a request waits for the Timeout, and not longer, for a server that is
// silent.
func TestServerSlow(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		stop, resume func(s *server)
	}{
		{"stopped", (*server).pause, (*server).resume},
		{"CLIENT PAUSE", func(s *server) { s.do("CLIENT", "PAUSE", "3600000", "WRITE") }, func(s *server) { s.do("CLIENT", "UNPAUSE") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			store := newStore(t, s.client(), func(c *valkey.ProofStoreConfig) { c.Timeout = 200 * time.Millisecond })
			recovers(t, store, "1")
			row.stop(s)
			start := time.Now()
			wantUnavailable(t, store, "no answer within the Timeout")
			if waited := time.Since(start); waited < 200*time.Millisecond || waited > patience/2 {
				t.Errorf("two commands with a Timeout of 200 ms took %v", waited)
			}
			row.resume(s)
			recovers(t, store, "2")
		})
	}
}

// TestServerSlowUnderLoad: requests that come while the server is silent take a bounded
// number of goroutines, and none waits for longer than the Timeout for the client's queue.
func TestServerSlowUnderLoad(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	small := func(o *rueidis.ClientOption) { o.RingScaleEachConn, o.PipelineMultiplex = 4, -1 }
	store := newStore(t, s.client(small), func(c *valkey.ProofStoreConfig) { c.Timeout = 300 * time.Millisecond })
	var wait sync.WaitGroup
	for i := range 100 { // From now on the client has a queue.
		wait.Go(func() { use(store, "k", "before "+strconv.Itoa(i)) })
	}
	wait.Wait()
	recovers(t, store, "1")
	s.pause()
	const extra = 100
	var slow, busy atomic.Int64
	var longest atomic.Int64
	for i := range valkey.MaxPending + extra {
		wait.Go(func() {
			start := time.Now()
			err := use(store, "k", "under load "+strconv.Itoa(i))
			if took := int64(time.Since(start)); took > longest.Load() {
				longest.Store(took)
			}
			switch {
			case err == nil:
				t.Error("accepted")
			case strings.Contains(err.Error(), "too many"):
				busy.Add(1)
			default:
				slow.Add(1)
			}
		})
	}
	wait.Wait()
	if busy.Load()+slow.Load() != valkey.MaxPending+extra || slow.Load() == 0 {
		t.Errorf("%d had no place, and %d no answer", busy.Load(), slow.Load())
	}
	if took := time.Duration(longest.Load()); took > 5*time.Second {
		t.Errorf("one took %v", took)
	}
	s.resume()
	recovers(t, store, "2")
}

// TestTinyDeadlines: requests whose deadline is too short do not close the connection that
// others use.
func TestTinyDeadlines(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := newStore(t, s.client(func(o *rueidis.ClientOption) { o.PipelineMultiplex = -1 }))
	recovers(t, store, "1")
	s.do("CLIENT", "PAUSE", "3600000", "WRITE")
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err := store.Consume(ctx, hashOf("k"), hashOf("tiny "+strconv.Itoa(i)), time.Now().Add(time.Minute))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, token.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
	}
	before := s.do("CLIENT", "LIST", "TYPE", "normal")
	if !strings.Contains(before, "cmd=set") {
		t.Errorf("no connection waits:\n%s", before)
	}
	s.do("CLIENT", "UNPAUSE")
	recovers(t, store, "2")
	if err := use(store, "k", "tiny 0"); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("a command whose request has ended was dropped: got %v", err)
	}
}

// TestServerRefuses: a server that answers, but not as it should, lets no proof in.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	acl := func(rules ...string) []string { return append([]string{"ACL", "SETUSER", "u", "on", ">p"}, rules...) }
	asUser := func(o *rueidis.ClientOption) { o.Username, o.Password = "u", "p" }
	for _, row := range []struct {
		name     string
		args     []string // of the server
		commands [][]string
		client   func(*rueidis.ClientOption)
		assume   bool   // DangerouslyAssumeNoEviction
		want     string // empty if proofs are accepted
	}{
		{name: "full", commands: [][]string{{"CONFIG", "SET", "maxmemory", "1"}}, want: "OOM"},
		{name: "evicts any key", args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, want: "allkeys-lru"},
		{name: "evicts keys that end", args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"}, want: "volatile-ttl"},
		{name: "evicts, and that is assumed not to be", args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, assume: true},
		{name: "would evict, and has no limit", args: []string{"--maxmemory-policy", "allkeys-lru"}},
		{name: "has a limit, and does not evict", args: []string{"--maxmemory", "100mb"}},
		{name: "no password", args: []string{"--requirepass", "secret"}, client: func(o *rueidis.ClientOption) {}, want: "NOAUTH"},
		{name: "wrong password", commands: [][]string{{"ACL", "SETUSER", "u", "on", ">other", "~*", "+@all"}}, client: asUser, want: "WRONGPASS"},
		{name: "INFO is denied", commands: [][]string{acl("~*", "+@all", "-info")}, client: asUser, want: "does not say in INFO memory"},
		{name: "INFO is denied, and is not asked", commands: [][]string{acl("~*", "+@all", "-info")}, client: asUser, assume: true},
		{name: "CONFIG is denied, as by managed services", commands: [][]string{acl("~*", "+@all", "-config")}, client: asUser},
		{name: "scripts are denied", commands: [][]string{acl("~*", "+@all", "-@scripting")}, client: asUser},
		{name: "SET is denied", commands: [][]string{acl("~*", "+@all", "-set")}, client: asUser, want: "NOPERM"},
		{name: "the keys are denied", commands: [][]string{acl("~other:*", "+@all")}, client: asUser, want: "NOPERM"},
		{name: "a replica", commands: [][]string{{"REPLICAOF", "127.0.0.1", "1"}}, want: "READONLY"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, row.args...)
			for _, command := range row.commands {
				s.do(command...)
			}
			var changes []func(*rueidis.ClientOption)
			if row.client != nil {
				changes = append(changes, row.client)
			}
			store := newStore(t, s.client(changes...), func(c *valkey.ProofStoreConfig) { c.DangerouslyAssumeNoEviction = row.assume })
			if row.want == "" {
				recovers(t, store, "1")
				return
			}
			wantUnavailable(t, store, row.want)
			// An answer is not an outage.
			down := newStore(t, s.client(changes...), func(c *valkey.ProofStoreConfig) {
				c.DangerouslyAcceptWhileDown, c.DangerouslyAssumeNoEviction = true, row.assume
			})
			wantUnavailable(t, down, row.want)
		})
	}
}

// TestPolicyChanges: a server that begins to evict is found out, and so is one that ends.
func TestPolicyChanges(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--maxmemory", "100mb")
	store := newStore(t, s.client())
	recovers(t, store, "1")
	s.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
	recovers(t, store, "2") // It is not asked for each proof.
	store.ForgetPolicy()
	wantUnavailable(t, store, "allkeys-lfu")
	s.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	recovers(t, store, "3") // It is asked again after a second.
	s.stop()
	store.ForgetPolicy()
	wantUnavailable(t, store, "")
	s.start()
	recovers(t, store, "4")
}

// TestWrongType: a key that something else has written counts as used.
func TestWrongType(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := newStore(t, s.client())
	s.do("LPUSH", "drawbridge:proof:"+hashOf("k")+":"+hashOf("1"), "x")
	if err := use(store, "k", "1"); !errors.Is(err, proof.ErrUsed) {
		t.Errorf("got %v", err)
	}
}

// A brokenConn loses the answer to a command, and the connection with it.
type brokenConn struct {
	net.Conn

	isBroken *atomic.Bool
}

func (c *brokenConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isBroken.CompareAndSwap(true, false) {
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// TestAnswerLost: a proof whose SET was executed, and whose answer was lost with the
// connection, is refused. The client does not send SET again.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var isBroken atomic.Bool
	store := newStore(t, s.client(func(o *rueidis.ClientOption) {
		o.PipelineMultiplex = -1
		o.DialCtxFn = func(ctx context.Context, to string, d *net.Dialer, c *tls.Config) (net.Conn, error) {
			conn, err := s.dial(ctx, to, d, c)
			return &brokenConn{conn, &isBroken}, err
		}
	}))
	recovers(t, store, "1")
	before := s.info("commandstats", "cmdstat_set")
	isBroken.Store(true)
	if err := use(store, "k", "2"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	calls := func(stat string) int {
		text, _, _ := strings.Cut(strings.TrimPrefix(stat, "calls="), ",")
		n, _ := strconv.Atoi(text)
		return n
	}
	if sent := calls(s.info("commandstats", "cmdstat_set")) - calls(before); sent != 1 {
		t.Errorf("SET was sent %d times", sent)
	}
	eventually(t, func() error {
		if err := use(store, "k", "2"); !errors.Is(err, proof.ErrUsed) {
			return errors.New("the record is missing")
		}
		return nil
	})
}
