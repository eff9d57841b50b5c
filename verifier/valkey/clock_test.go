package valkey_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

func lifetime(d time.Duration) func(*valkey.CutoffsConfig) {
	return func(c *valkey.CutoffsConfig) { c.Lifetime = d }
}

// add adds an entry as a server does whose clock shows another time.
func (s *server) add(at, until time.Time, subject string, more ...string) {
	s.tb.Helper()
	s.do(append([]string{
		"XADD", streamKey, strconv.FormatInt(at.UnixMilli(), 10) + "-0",
		"issuer", "https://login.example.com", "subject", subject, "until", strconv.FormatInt(until.UnixNano(), 10),
	}, more...)...)
}

// TestCutoffsKept: what is removed, and what is needed, is decided by Until and the longest
// Lifetime, not by the clock of the server.
func TestCutoffsKept(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const day = 24 * time.Hour
	for _, row := range []struct {
		name      string
		at, until time.Time
		fields    []string
		lifetime  time.Duration // of the replica that removes
		isKept    bool
		isApplied bool // by a replica with a Lifetime of two days
	}{
		{"the clock of the server was behind", ago(2 * day), now, nil, 0, true, true},
		{"the clock of the server was at 1970", time.UnixMilli(1), now, nil, 0, true, true},
		{"the clock of the server was ahead, and the cut-off is old", now, ago(3 * day), nil, 0, false, false},
		{"a shorter Lifetime here", ago(2 * time.Hour), ago(2 * time.Hour), nil, time.Hour, true, true},
		{"a shorter Lifetime here, and the least time is over", ago(day + 20*time.Minute), ago(day + 20*time.Minute), nil, time.Hour, false, false},
		{"a longer Lifetime there", ago(30 * time.Hour), ago(30 * time.Hour), []string{"lifetime", "172800"}, time.Hour, true, true},
		{"a longer Lifetime there is over", ago(49 * time.Hour), ago(49 * time.Hour), []string{"lifetime", "172800"}, time.Hour, false, false},
		{"a longer Lifetime here", ago(30 * time.Hour), ago(30 * time.Hour), []string{"lifetime", "60"}, 2 * day, true, true},
		{"a shorter Lifetime there", ago(2 * time.Hour), ago(2 * time.Hour), []string{"lifetime", "60"}, 0, true, true},
		{"clocks that differ by minutes", ago(day + 14*time.Minute), ago(day + 14*time.Minute), nil, 0, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.add(row.at, row.until, "ada", row.fields...)
			observer := hurried(t, s.client(), lifetime(2*day))
			eventually(t, observer.Ready)
			newReplica(t, s.client(), lifetime(row.lifetime)).record(t, subject("bob"))
			kept := "1"
			if row.isKept {
				kept = "2"
			}
			if n := s.do("XLEN", streamKey); n != kept {
				t.Errorf("the stream has %s entries", n)
			}
			late := startReplica(t, s.client(), lifetime(2*day))
			if err := errors.Join(late.has(subject("ada")), late.has(subject("bob"))); (err == nil) != row.isApplied {
				t.Errorf("a replica that starts: got %v", err)
			}
			if row.isKept && observer.log.String()+late.log.String() != "" {
				t.Errorf("the log has\n%s%s", observer.log.String(), late.log.String())
			}
		})
	}
}

// TestCutoffsClockOfServer: what is old by one clock is removed only if it is so by another.
func TestCutoffsClockOfServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	past, now := time.Now().Add(-48*time.Hour), time.Now()
	s.add(past, past.Add(-24*time.Hour), "of three days ago")
	if old := s.do("XLEN", streamKey); old != "1" {
		t.Fatal(old)
	}
	r := newReplica(t, s.client())
	// By the clock of a server that is three days behind, nothing is old.
	r.RemoveAt(now.Add(-72 * time.Hour))
	if n := s.do("XLEN", streamKey); n != "1" {
		t.Errorf("the stream has %s entries", n)
	}
	// By that of a server that is ahead, nothing is that was not.
	s.add(now, now, "ada")
	r.RemoveAt(now.Add(72 * time.Hour))
	if n := s.do("XLEN", streamKey); n != "1" {
		t.Errorf("the stream has %s entries", n)
	}
	late := startReplica(t, s.client())
	if err := late.has(subject("ada")); err != nil {
		t.Error(err)
	}
}

// TestCutoffsLostOfSkewedServer: the loss of a cut-off is found out, although its identifier
// is old, and that of one which is no longer needed is none.
func TestCutoffsLostOfSkewedServer(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	now := time.Now()
	s.add(now.Add(-72*time.Hour), now.Add(-72*time.Hour), "outlived")
	s.add(now.Add(-48*time.Hour), now, "ada")
	s.add(now.Add(-47*time.Hour), now.Add(-36*time.Hour), "of a replica with a longer Lifetime", "lifetime", "172800")
	s.do("XADD", streamKey, "*", "what", "ever")
	r := hurried(t, s.client())
	eventually(t, r.Ready)
	s.do("FLUSHALL")
	r.logged(t, "level=ERROR", "the server has lost cut-offs", "count=2")
}

// TestCutoffsStreamAgain: a follower whose last entry is gone receives entries with a lower
// identifier soon, also if others with a higher one come.
func TestCutoffsStreamAgain(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, row := range []struct {
		name  string
		ahead time.Duration // of the last entry, against the clock of the server
		lose  []string
		after time.Duration // of an entry that comes after bob
	}{
		{"flushed", time.Minute, []string{"FLUSHALL"}, 0},
		{"the last is deleted, as by a failover behind a proxy", time.Minute, []string{"DEL", streamKey}, 2 * time.Minute},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			s.add(now.Add(row.ahead), now, "eve")
			r := newReplica(t, s.client())
			r.Hurry(50*time.Millisecond, time.Hour, time.Hour) // The reading of everything is far.
			r.follow(t)
			eventually(t, r.Ready)
			s.do(row.lose...)
			newReplica(t, s.client()).record(t, subject("bob"))
			if row.after != 0 {
				s.add(now.Add(row.after), now, "frank")
				eventually(t, func() error { return r.has(subject("frank")) })
			}
			eventually(t, func() error { return r.has(subject("bob")) })
			r.logged(t, "level=ERROR", "the server has lost cut-offs", "count=1")
			if err := r.Ready(); err != nil {
				t.Error(err)
			}
			// It goes on as before, and says no more.
			newReplica(t, s.client()).record(t, verifier.Cutoff{Issuer: "https://login.example.com", ClientID: "shop"})
			eventually(t, func() error { return r.has(verifier.Cutoff{Issuer: "https://login.example.com", ClientID: "shop"}) })
			if n := r.log.count("level="); n != 1 {
				t.Errorf("the log has\n%s", r.log.String())
			}
		})
	}
}

// TestCutoffsRemovedMany: what is old is removed bit by bit, and what something else has
// written, too.
func TestCutoffsRemovedMany(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	old := time.Now().Add(-25 * time.Hour)
	for i := range 24 {
		s.add(old.Add(time.Duration(i)*time.Second), old, strconv.Itoa(i))
	}
	s.do("XADD", streamKey, strconv.FormatInt(old.Add(time.Minute).UnixMilli(), 10), "what", "ever")
	s.do("XADD", streamKey, strconv.FormatInt(time.Now().UnixMilli(), 10), "what", "ever")
	r := newReplica(t, s.client())
	for _, want := range []string{"17", "8", "4", "5"} {
		r.record(t, subject("ada"))
		if n := s.do("XLEN", streamKey); n != want {
			t.Errorf("the stream has %s entries, want %s", n, want)
		}
	}
}
