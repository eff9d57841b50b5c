package valkey_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/redis/rueidis"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

const streamKey = "drawbridge:cutoffs"

// A replica follows, and remembers what it has applied.
type replica struct {
	*valkey.Cutoffs

	log  logs
	stop context.CancelFunc
	done chan error

	mu      sync.Mutex
	applied map[string]time.Time // Until by what is cut off
	refuse  func(verifier.Cutoff) error
}

func nameOf(c verifier.Cutoff) string {
	return fmt.Sprintf("%s sub=%s sid=%s client=%s", c.Issuer, c.Subject, c.SessionID, c.ClientID)
}

func (r *replica) apply(c verifier.Cutoff) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(c); err != nil {
			return err
		}
	}
	r.applied[nameOf(c)] = c.Until
	return nil
}

// refuseBy sets what Apply refuses.
func (r *replica) refuseBy(f func(verifier.Cutoff) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = f
}

func (r *replica) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.applied)
}

// has returns nil if a cut-off is applied.
func (r *replica) has(c verifier.Cutoff) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.applied[nameOf(c)]
	if !ok {
		return errors.New(nameOf(c) + " is not applied:\n" + r.log.String())
	}
	if !c.Until.IsZero() && !until.Equal(c.Until) {
		return fmt.Errorf("%s is applied until %v, not %v", nameOf(c), until, c.Until)
	}
	return nil
}

// newReplica returns a replica that does not follow yet.
func newReplica(tb testing.TB, client rueidis.Client, changes ...func(*valkey.CutoffsConfig)) *replica {
	tb.Helper()
	r := &replica{applied: make(map[string]time.Time)}
	config := valkey.CutoffsConfig{Client: client, Apply: r.apply, Logger: r.log.logger(), Timeout: patience}
	for _, change := range changes {
		change(&config)
	}
	var err error
	if r.Cutoffs, err = valkey.NewCutoffs(config); err != nil {
		tb.Fatal(err)
	}
	return r
}

// follow lets a replica follow until the end of the test, or stop.
func (r *replica) follow(tb testing.TB) {
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done = stop, make(chan error, 1)
	go func() { r.done <- r.Follow(ctx) }()
	tb.Cleanup(stop)
}

// startReplica returns a replica that has applied all cut-offs.
func startReplica(tb testing.TB, client rueidis.Client, changes ...func(*valkey.CutoffsConfig)) *replica {
	tb.Helper()
	r := newReplica(tb, client, changes...)
	r.follow(tb)
	eventually(tb, r.Ready)
	return r
}

func subject(name string) verifier.Cutoff {
	return verifier.Cutoff{Issuer: "https://login.example.com", Subject: name}
}

// record records a cut-off by a replica.
func (r *replica) record(tb testing.TB, c verifier.Cutoff) {
	tb.Helper()
	if err := r.CutOff(context.Background(), c); err != nil {
		tb.Fatal(err)
	}
}

// wantUnready checks what Ready reports after a while.
func (r *replica) wantUnready(tb testing.TB, target error, want string) {
	tb.Helper()
	eventually(tb, func() error {
		if err := r.Ready(); !errors.Is(err, target) || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("Ready: got %v", err) //nolint:errorlint // It may be nil.
		}
		return nil
	})
}

// TestCutoffsReachAll: a cut-off that one replica records is applied by all, also by one
// that starts later, with the same Until.
func TestCutoffsReachAll(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	first, second := startReplica(t, s.client()), startReplica(t, s.client())
	until := time.Now().Add(-3 * time.Minute).Round(0)
	all := []verifier.Cutoff{
		subject("ada"),
		{Issuer: "https://login.example.com", SessionID: "s-1", Until: until},
		{Issuer: "https://login.example.com", SessionID: "s-1", Subject: "user-2", Until: until},
		{Issuer: "https://login.example.com", ClientID: "cli\x00\n\xff", Until: until.Add(time.Nanosecond)},
		{Issuer: strings.Repeat("i", token.MaxLength), Subject: strings.Repeat("n", token.MaxLength), Until: until},
		{Issuer: "https://login.example.com", Subject: "ahead", Until: time.Now().Add(4 * time.Minute).Round(0)},
	}
	before := time.Now()
	for i, cutoff := range all {
		[]*replica{first, second}[i%2].record(t, cutoff)
	}
	third := startReplica(t, s.client())
	for _, r := range []*replica{first, second, third} {
		for _, cutoff := range all {
			eventually(t, func() error { return r.has(cutoff) })
		}
		r.mu.Lock()
		if now := r.applied[nameOf(all[0])]; now.Before(before) || !now.Equal(first.applied[nameOf(all[0])]) && r == third {
			t.Errorf("without Until: got %v", now)
		}
		r.mu.Unlock()
		if r.log.String() != "" {
			t.Errorf("the log has\n%s", r.log.String())
		}
	}
	if s.do("PTTL", streamKey) != "-1" {
		t.Error("the stream ends by itself")
	}
}

// TestCutOffRefuses: a cut-off with a fault is neither applied nor recorded.
func TestCutOffRefuses(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	r := newReplica(t, s.client())
	foreign := errors.New("foreign issuer")
	r.refuseBy(func(c verifier.Cutoff) error {
		if c.Issuer == "foreign" {
			return foreign
		}
		return nil
	})
	for _, row := range []struct {
		name   string
		cutoff verifier.Cutoff
		want   string
	}{
		{"nothing", verifier.Cutoff{}, "has no Issuer"},
		{"nobody", verifier.Cutoff{Issuer: "i"}, "or a ClientID alone"},
		{"two", verifier.Cutoff{Issuer: "i", Subject: "s", ClientID: "c"}, "or a ClientID alone"},
		{"three", verifier.Cutoff{Issuer: "i", Subject: "s", SessionID: "i", ClientID: "c"}, "or a ClientID alone"},
		{"a long issuer", verifier.Cutoff{Issuer: strings.Repeat("i", token.MaxLength+1), Subject: "s"}, "more than"},
		{"a long name", verifier.Cutoff{Issuer: "i", Subject: strings.Repeat("s", token.MaxLength+1)}, "more than"},
		{"ancient", verifier.Cutoff{Issuer: "i", Subject: "s", Until: time.Unix(-1, 0)}, "before 1970"},
		{"far", verifier.Cutoff{Issuer: "i", Subject: "s", Until: time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC)}, "after 2200"},
		{"outlived", verifier.Cutoff{Issuer: "i", Subject: "s", Until: time.Now().Add(-25 * time.Hour)}, "more than the Lifetime of 24h0m0s ago"},
		{"refused by Apply", verifier.Cutoff{Issuer: "foreign", Subject: "s"}, "foreign issuer"},
	} {
		err := r.CutOff(t.Context(), row.cutoff)
		if err == nil || errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
	if r.count() != 0 || s.do("EXISTS", streamKey) != "0" {
		t.Error("a faulty cut-off was applied or recorded")
	}
}

// TestCutoffsOfVerifiers: a token that one replica cuts off is refused by all.
func TestCutoffsOfVerifiers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startServer(t))
	raw := w.mint(nil)
	for _, tokens := range w.verifiers {
		if _, err := tokens.VerifyToken(t.Context(), raw, &token.Resource{Identifier: w.base}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		return w.cutoffs[0].CutOff(t.Context(), verifier.Cutoff{Issuer: w.issuer.URL, Subject: "user-1"})
	})
	for _, tokens := range w.verifiers {
		eventually(t, func() error {
			if _, err := tokens.VerifyToken(t.Context(), raw, &token.Resource{Identifier: w.base}); !errors.Is(err, token.ErrInvalid) {
				return fmt.Errorf("got %v", err) //nolint:errorlint // It may be nil.
			}
			return nil
		})
	}
}

// TestCutoffsMany: a replica that starts applies more than fit into one answer.
func TestCutoffsMany(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client := s.client()
	const count = 2_500
	commands := make([]rueidis.Completed, count)
	for i := range commands {
		fields, err := valkey.EncodeEntry(&verifier.Cutoff{Issuer: "i", Subject: strconv.Itoa(i), Until: time.Now()}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		commands[i] = client.B().Arbitrary("XADD").Keys(streamKey).Args("*").Args(fields...).Build()
	}
	for _, result := range client.DoMulti(t.Context(), commands...) {
		if result.Error() != nil {
			t.Fatal(result.Error())
		}
	}
	if r := startReplica(t, s.client()); r.count() != count {
		t.Errorf("applied %d", r.count())
	}
}

// TestCutoffsTrim: what every token has outlived is removed from the server, and is not
// applied where it is still there.
func TestCutoffsTrim(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	now := time.Now()
	for _, age := range []time.Duration{25 * time.Hour, 24*time.Hour + 10*time.Minute, time.Minute} {
		at := now.Add(-age)
		s.do("XADD", streamKey, strconv.FormatInt(at.UnixMilli(), 10), "issuer", "i", "subject", age.String(), "until", strconv.FormatInt(at.UnixNano(), 10))
	}
	r := startReplica(t, s.client())
	if r.count() != 1 {
		t.Errorf("applied %d", r.count())
	}
	r.record(t, subject("ada"))
	if n := s.do("XLEN", streamKey); n != "3" {
		t.Errorf("the stream has %s entries", n)
	}
}

// TestFollowEnds: Follow returns when its context ends, with or without a deadline, and
// does not run twice.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	r := startReplica(t, s.client())
	if err := r.Follow(t.Context()); err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("got %v", err)
	}
	r.stop()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := r.Ready(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("Ready: got %v", err)
	}
	for _, row := range []struct {
		deadline, cancel time.Duration
		want             error
	}{{100 * time.Millisecond, time.Hour, context.DeadlineExceeded}, {time.Hour, 100 * time.Millisecond, context.Canceled}} {
		ctx, cancel := context.WithTimeout(t.Context(), row.deadline)
		time.AfterFunc(row.cancel, cancel)
		start := time.Now()
		if err := r.Follow(ctx); !errors.Is(err, row.want) {
			t.Errorf("got %v", err)
		}
		cancel()
		if took := time.Since(start); took > 4*time.Second { // less than a command waits
			t.Errorf("it took %v", took)
		}
	}
	r.follow(t)
	eventually(t, r.Ready)
	if r.log.String() != "" {
		t.Errorf("the log has\n%s", r.log.String())
	}
}

// TestCutoffsConfig: all faults are reported at once.
func TestCutoffsConfig(t *testing.T) {
	t.Parallel()
	client := newServer(t).client()
	apply := func(verifier.Cutoff) error { return nil }
	for _, row := range []struct {
		name   string
		config valkey.CutoffsConfig
		want   []string
	}{
		{"nothing", valkey.CutoffsConfig{}, []string{"Client", "Apply"}},
		{"everything", valkey.CutoffsConfig{Prefix: "{", Timeout: -1, Lifetime: -1}, []string{"Client", "Prefix", "Timeout", "Apply", "Lifetime"}},
		{"too long", valkey.CutoffsConfig{Client: client, Apply: apply, Lifetime: 367 * 24 * time.Hour}, []string{"Lifetime"}},
		{"good", valkey.CutoffsConfig{Client: client, Apply: apply, Lifetime: time.Hour}, nil},
	} {
		_, err := valkey.NewCutoffs(row.config)
		wantFaults(t, row.name, err, "valkey: CutoffsConfig.", row.want)
	}
}
