package valkey_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// hurried returns a replica that does what it does after a while soon, and follows.
func hurried(tb testing.TB, client rueidis.Client, changes ...func(*valkey.CutoffsConfig)) *replica {
	tb.Helper()
	r := newReplica(tb, client, changes...)
	r.Hurry(50*time.Millisecond, 100*time.Millisecond, 10*time.Millisecond)
	r.follow(tb)
	return r
}

func short(c *valkey.CutoffsConfig) { c.Timeout = 200 * time.Millisecond }

// logged waits for a record.
func (r *replica) logged(tb testing.TB, texts ...string) {
	tb.Helper()
	eventually(tb, func() error {
		if r.log.count(texts...) == 0 {
			return fmt.Errorf("no record has %q:\n%s", texts, r.log.String())
		}
		return nil
	})
}

// TestCutoffsDown: a replica that starts while the server is down says so once, and is
// ready when it is up. A cut-off in the meantime holds where it was made, and is an error.
func TestCutoffsDown(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--appendonly", "yes", "--appendfsync", "always")
	r := hurried(t, s.client(), short)
	r.wantUnready(t, token.ErrUnavailable, "socket")
	r.logged(t, "level=WARN", "not received", "error=")
	if err := r.CutOff(t.Context(), subject("early")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := r.has(subject("early")); err != nil {
		t.Error(err)
	}
	s.start()
	eventually(t, r.Ready)
	r.logged(t, "level=INFO", "received again", "since=")
	r.record(t, subject("ada"))

	s.stop()
	r.wantUnready(t, token.ErrUnavailable, "")
	s.start()
	eventually(t, r.Ready)
	if n := r.log.count("not received"); n != 2 {
		t.Errorf("%d records about two outages:\n%s", n, r.log.String())
	}
	late := startReplica(t, s.client())
	if late.count() != 1 || late.has(subject("ada")) != nil {
		t.Errorf("a replica that starts has %d cut-offs", late.count())
	}
}

// TestCutoffsSilent: a replica notices that the server is silent, without a connection
// that closes.
func TestCutoffsSilent(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	r := hurried(t, s.client(), short)
	eventually(t, r.Ready)
	s.pause()
	r.wantUnready(t, token.ErrUnavailable, "")
	if err := r.CutOff(t.Context(), subject("ada")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	s.resume()
	eventually(t, r.Ready)
}

// TestCutoffsReconnect: no cut-off is missed by replicas whose connections are closed again
// and again.
func TestCutoffsReconnect(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	writer := newReplica(t, s.client())
	follower := hurried(t, s.client())
	eventually(t, follower.Ready)
	const count = 200
	for i := range count {
		if i%10 == 0 {
			s.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
		eventually(t, func() error { return writer.CutOff(t.Context(), subject(strconv.Itoa(i))) })
	}
	for i := range count {
		eventually(t, func() error { return follower.has(subject(strconv.Itoa(i))) })
	}
	if follower.log.count("not received") == 0 || follower.log.count("lost") != 0 {
		t.Errorf("the log has\n%s", follower.log.String())
	}
}

// TestCutoffsLost: a server that has lost cut-offs is found out, whether the connection
// broke or not, and so are entries that come with a lower identifier than before.
func TestCutoffsLost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		lose func(s *server)
		lost string
	}{
		{"restarted without its data", func(s *server) { s.stop(); s.start() }, "count=3"},
		{"flushed", func(s *server) { s.do("FLUSHALL") }, "count=3"},
		{"trimmed by somebody else", func(s *server) { s.do("XTRIM", streamKey, "MAXLEN", "=", "1") }, "count=2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			r := hurried(t, s.client())
			for i := range 3 {
				r.record(t, subject(strconv.Itoa(i)))
			}
			eventually(t, r.Ready)
			observer := hurried(t, s.client())
			eventually(t, observer.Ready)
			row.lose(s)
			observer.logged(t, "level=ERROR", "the server has lost cut-offs", row.lost)
			if row.lost != "count=3" {
				return
			}
			s.do("XADD", streamKey, "1-1", "issuer", "https://login.example.com", "subject", "behind", "until", strconv.FormatInt(time.Now().UnixNano(), 10))
			eventually(t, func() error { return observer.has(subject("behind")) })
			if n := observer.log.count("lost"); n != 1 {
				t.Errorf("%d records:\n%s", n, observer.log.String())
			}
		})
	}
}

// TestCutoffsNotApplied: a cut-off that cannot be applied is in the log, is tried again,
// and makes a replica unready if the reason is that no more can be held.
func TestCutoffsNotApplied(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	writer := newReplica(t, s.client())
	full := hurried(t, s.client())
	eventually(t, full.Ready)
	full.refuseBy(func(c verifier.Cutoff) error {
		if c.Subject == "ada" {
			return verifier.ErrCutoffsFull
		}
		return nil
	})
	foreign := hurried(t, s.client())
	foreign.refuseBy(func(verifier.Cutoff) error { return errors.New("not of the verifier\nlevel=FORGED") })

	writer.record(t, subject("ada"))
	writer.record(t, subject("bob"))
	full.wantUnready(t, verifier.ErrCutoffsFull, "MaxCutoffs")
	full.logged(t, "level=ERROR", "not applied", "refused=1", "MaxCutoffs")
	eventually(t, func() error { return full.has(subject("bob")) })
	foreign.logged(t, "level=ERROR", "not applied", "refused=2", "not of the verifier")
	eventually(t, foreign.Ready)
	if n := foreign.log.count("not applied"); n > 2 {
		t.Errorf("%d records about two cut-offs:\n%s", n, foreign.log.String())
	}
	for _, r := range []*replica{full, foreign} {
		r.refuseBy(nil)
		eventually(t, func() error { return r.has(subject("ada")) })
		eventually(t, r.Ready)
		r.logged(t, "level=INFO", "all cut-offs are applied")
	}

	writer.refuseBy(func(verifier.Cutoff) error { return verifier.ErrCutoffsFull })
	if err := writer.CutOff(t.Context(), subject("eve")); !errors.Is(err, verifier.ErrCutoffsFull) || errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	eventually(t, func() error { return full.has(subject("eve")) })
	s.stop()
	hasty := newReplica(t, s.client(), short) // It sends a cut-off again until its Timeout.
	hasty.refuseBy(func(verifier.Cutoff) error { return verifier.ErrCutoffsFull })
	if err := hasty.CutOff(t.Context(), subject("eve")); !errors.Is(err, verifier.ErrCutoffsFull) || !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// TestCutoffsMalformed: an entry that something else has written is in the log, and hides
// none of the others.
func TestCutoffsMalformed(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.do("XADD", streamKey, "*", "what", "ever")
	r := hurried(t, s.client())
	eventually(t, r.Ready)
	r.record(t, subject("ada"))
	s.do("XADD", streamKey, "*", "issuer", "i", "subject", "s", "client", "c", "until", "1")
	r.record(t, subject("bob"))
	for _, name := range []string{"ada", "bob"} {
		eventually(t, func() error { return r.has(subject(name)) })
	}
	r.logged(t, "level=ERROR", "malformed=1", "has no usable until")
	r.logged(t, "level=ERROR", "malformed=2")
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}

// TestCutoffsServerRefuses: what a replica reports of a server that answers, but not as it
// should.
func TestCutoffsServerRefuses(t *testing.T) {
	t.Parallel()
	acl := func(rules ...string) []string { return append([]string{"ACL", "SETUSER", "u", "on", ">p"}, rules...) }
	asUser := func(o *rueidis.ClientOption) { o.Username, o.Password = "u", "p" }
	same := func(*rueidis.ClientOption) {}
	for _, row := range []struct {
		name    string
		command []string
		client  func(*rueidis.ClientOption)
		assume  bool
		ready   string // what Ready reports; empty if it is ready
		cutOff  string // the error of CutOff; empty if there is none
		logged  string
	}{
		{name: "good", command: []string{"PING"}, client: same},
		{name: "full", command: []string{"CONFIG", "SET", "maxmemory", "1"}, client: same, cutOff: "OOM"},
		{name: "evicts any key", command: []string{"CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"}, client: same, ready: "allkeys-lru", logged: "may lose cut-offs"},
		{name: "evicts any key, and that is assumed not to be", command: []string{"CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"}, client: same, assume: true},
		{name: "evicts keys that end", command: []string{"CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "volatile-lru"}, client: same},
		{name: "INFO is denied", command: acl("~*", "+@all", "-info"), client: asUser, ready: "does not say in INFO memory", logged: "may lose cut-offs"},
		{name: "INFO is denied, and is not asked", command: acl("~*", "+@all", "-info"), client: asUser, assume: true},
		{name: "wrong password", command: []string{"ACL", "SETUSER", "u", "on", ">other", "~*", "+@all"}, client: asUser, ready: "WRONGPASS", cutOff: "WRONGPASS", logged: "not received"},
		{name: "XREAD is denied", command: acl("~*", "+@all", "-xread"), client: asUser, ready: "NOPERM", logged: "not received"},
		{name: "XADD is denied", command: acl("~*", "+@all", "-xadd"), client: asUser, cutOff: "NOPERM"},
		{name: "XREAD is denied, at CutOff", command: acl("~*", "+@all", "-xread"), client: asUser, ready: "NOPERM", logged: "old cut-offs were not removed"},
		{name: "another type at the key", command: []string{"SET", streamKey, "x"}, client: same, ready: "WRONGTYPE", cutOff: "WRONGTYPE", logged: "not received"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.do(row.command...)
			r := hurried(t, s.client(row.client), func(c *valkey.CutoffsConfig) { c.DangerouslyAssumeNoEviction = row.assume })
			if row.ready == "" {
				eventually(t, r.Ready)
			} else {
				r.wantUnready(t, token.ErrUnavailable, row.ready)
			}
			switch err := r.CutOff(t.Context(), subject("ada")); {
			case row.cutOff == "" && err != nil, row.cutOff != "" && !errors.Is(err, token.ErrUnavailable):
				t.Errorf("CutOff: got %v, want %q", err, row.cutOff)
			case row.cutOff == "":
				other := startReplica(t, s.client(), func(c *valkey.CutoffsConfig) { c.DangerouslyAssumeNoEviction = true })
				if err := other.has(subject("ada")); err != nil {
					t.Error(err)
				}
			}
			if row.logged != "" {
				r.logged(t, row.logged)
			}
		})
	}
}

// TestCutoffsNoConnection: a client whose pool is empty makes a replica unready, and does
// not keep Follow from ending.
func TestCutoffsNoConnection(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := s.client(func(o *rueidis.ClientOption) { o.BlockingPoolSize = 1 })
	_, release := client.Dedicate()
	r := hurried(t, client, short)
	r.wantUnready(t, token.ErrUnavailable, "no connection to spare")
	r.stop()
	<-r.done
	release()
	next := hurried(t, client, short)
	eventually(t, next.Ready)
}
