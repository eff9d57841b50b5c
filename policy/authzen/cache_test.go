package authzen_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

// cachedFor is a question about the account of the message.
func cachedFor(d time.Duration) policy.Question {
	q := about("request.account_id")
	q.CacheFor = d
	return q
}

// TestCache: an answer is used for as long as the question says, for the same request alone.
func TestCache(t *testing.T) {
	t.Parallel()
	p, now := newPDP(t), newClock()
	p.decide = func(q question) bool { return q.Resource.ID == "a" }
	point, err := newPointAt(p, now)
	if err != nil {
		t.Fatal(err)
	}
	q := cachedFor(10 * time.Second)
	q.Context = map[string]string{"note": "request.note", "acr": "token.acr"}
	c := condition(t, point, q)
	hold := func(message, subject, acr, want string, asked int64) {
		t.Helper()
		in := ada(pay(t, message))
		in.Info.Subject, in.Info.ACR = subject, acr
		before := p.asked.Load()
		if got := outcome(c.Holds(t.Context(), in)); got != want || p.asked.Load()-before != asked {
			t.Errorf("got %s and %d questions, want %s and %d", got, p.asked.Load()-before, want, asked)
		}
	}
	const a, b = `account_id: "a"`, `account_id: "b"`
	hold(a, "ada", "", met, 1)
	hold(a, "ada", "", met, 0)
	hold(b, "ada", "", notMet, 1)
	hold(b, "ada", "", notMet, 0)
	hold(a, "bob", "", met, 1)
	hold(a, "ada", "gold", met, 1)
	hold(a+` note: "n"`, "ada", "", met, 1)
	hold(a+` flag: true`, "ada", "", met, 0) // The question does not read it.
	now.Move(10*time.Second - 1)
	hold(a, "ada", "", met, 0)
	now.Move(1)
	hold(a, "ada", "", met, 1)

	// Another compilation begins anew, and leaves the first as it is.
	c = condition(t, point, q)
	hold(a, "ada", "", met, 1)
	hold(a, "ada", "", met, 0)
}

// TestOutageIsNotRemembered: nor does it take away what is.
func TestOutageIsNotRemembered(t *testing.T) {
	t.Parallel()
	p, now := newPDP(t), newClock()
	point, err := newPointAt(p, now)
	if err != nil {
		t.Fatal(err)
	}
	c := condition(t, point, cachedFor(10*time.Second))
	hold := func(id, want string, requests int64) {
		t.Helper()
		before := p.requests.Load()
		got := outcome(c.Holds(t.Context(), ada(pay(t, `account_id: "`+id+`"`))))
		if got != want || p.requests.Load()-before != requests {
			t.Errorf("got %s and %d requests, want %s and %d", got, p.requests.Load()-before, want, requests)
		}
	}
	hold("known", met, 1)
	p.answer(says(500, "text/plain", ""))
	hold("known", met, 0)
	hold("new", unavailable, 1)
	hold("new", unavailable, 1)
	p.answer(nil)
	hold("new", met, 1)
	now.Move(10 * time.Second)
	p.answer(says(500, "text/plain", ""))
	hold("known", unavailable, 1)
}

// TestCacheIsBounded: and none is kept with a negative size.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	for _, tt := range []struct{ size, most int }{{10, 10}, {1, 2}} {
		point := newPoint(t, p, func(c *authzen.Config) { c.MaxCached = tt.size })
		c := condition(t, point, cachedFor(time.Minute))
		for i := range 30 {
			for range 2 {
				if got := outcome(c.Holds(t.Context(), ada(pay(t, fmt.Sprintf(`account_id: "%d"`, i))))); got != met {
					t.Fatalf("got %s", got)
				}
			}
			if n := point.Cached(); n > tt.most {
				t.Fatalf("%d answers are remembered", n)
			}
		}
	}
	none := condition(t, newPoint(t, p, func(c *authzen.Config) { c.MaxCached = -1 }), cachedFor(time.Minute))
	before := p.asked.Load()
	for range 3 {
		outcome(none.Holds(t.Context(), ada(pay(t, `account_id: "a"`))))
	}
	if n := p.asked.Load() - before; n != 3 {
		t.Errorf("without a cache: %d questions", n)
	}
}

// TestUsedAgain: what is in use survives when the cache is full.
func TestUsedAgain(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	c := condition(t, newPoint(t, p, func(c *authzen.Config) { c.MaxCached = 10 }), cachedFor(time.Minute))
	for i := range 20 {
		for _, id := range []string{"hot", strconv.Itoa(i)} {
			outcome(c.Holds(t.Context(), ada(pay(t, `account_id: "`+id+`"`))))
		}
	}
	if n := p.asked.Load(); n != 21 {
		t.Errorf("%d questions, want 21", n)
	}
}

// TestSharing: calls share a question that is on its way if its answer may be kept, and only
// then. One that gives up does not fail the others.
func TestSharing(t *testing.T) {
	t.Parallel()
	const calls = 10
	for _, tt := range []struct {
		cacheFor time.Duration
		requests int64
	}{{0, calls}, {time.Minute, 1}} {
		p := newPDP(t)
		arrived, release := make(chan struct{}, calls), make(chan struct{})
		p.answer(func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-release
			saysJSON(`{"decision":true}`)(w, r)
		})
		point := newPoint(t, p, func(c *authzen.Config) { c.Timeout = 30 * time.Second })
		q := about("'1'")
		q.CacheFor = tt.cacheFor
		c := condition(t, point, q)
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan string)
		go func() { gaveUp <- outcome(c.Holds(ctx, ada(nil))) }()
		<-arrived
		var all sync.WaitGroup
		outcomes := make(chan string, calls)
		for range calls - 1 {
			all.Go(func() { outcomes <- outcome(c.Holds(t.Context(), ada(nil))) })
		}
		cancel()
		if got := <-gaveUp; got != unavailable {
			t.Errorf("the first got %s", got)
		}
		for range tt.requests - 1 {
			<-arrived
		}
		close(release)
		all.Wait()
		close(outcomes)
		for got := range outcomes {
			if got != met {
				t.Errorf("%v: got %s", tt.cacheFor, got)
			}
		}
		if n := p.requests.Load(); n != tt.requests || point.Waiting() != 0 {
			t.Errorf("%v: %d requests, %d are on their way", tt.cacheFor, n, point.Waiting())
		}
	}
}

// TestOldQuestionIsNotShared: a question that has been on its way for longer than its answer
// may be used is asked again.
func TestOldQuestionIsNotShared(t *testing.T) {
	t.Parallel()
	p, now := newPDP(t), newClock()
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	p.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		saysJSON(`{"decision":true}`)(w, r)
	})
	point, err := authzen.NewAt(authzen.Config{URL: p.URL, Timeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler)}, now.Now)
	if err != nil {
		t.Fatal(err)
	}
	q := about("'1'")
	q.CacheFor = time.Second
	c := condition(t, point, q)
	outcomes := make(chan string, 2)
	for range 2 {
		go func() { outcomes <- outcome(c.Holds(t.Context(), ada(nil))) }()
		<-arrived
		now.Move(2 * time.Second)
	}
	close(release)
	for range 2 {
		if got := <-outcomes; got != met {
			t.Errorf("got %s", got)
		}
	}
	if got := outcome(c.Holds(t.Context(), ada(nil))); got != met || p.requests.Load() != 3 {
		t.Errorf("got %s after %d requests: an answer was used that is older than a second", got, p.requests.Load())
	}
}
