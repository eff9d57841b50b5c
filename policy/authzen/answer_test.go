package authzen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// secret is in the answers and the messages of these tests. It must not be in an error.
const secret = "account-4711"

// TestAnswers has a row for each answer. None but a decision that is true lets a call in.
func TestAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := newPDP(t)
	p := newPDP(t)
	point := newPoint(t, p, func(c *authzen.Config) { c.Timeout = 200 * time.Millisecond })
	c := condition(t, point, about("request.account_id"))
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"true", saysJSON(`{"decision":true}`), met},
		{"true, with a context", saysJSON(` {"context":{"decision":false,"id":"` + secret + `"}, "decision" : true } `), met},
		{"AuthZEN §10.1.2 an unknown member", saysJSON(`{"decision":true,"x":[1,{"decision":false}]}`), met},
		{"true, with a charset", says(200, "application/json; charset=utf-8", `{"decision":true}`), met},
		{"false", saysJSON(`{"decision":false,"context":{"reason":"` + secret + `"}}`), notMet},
		{"an escape in the name", saysJSON(`{"\u0064ecision":true}`), met},
		{"missing", saysJSON(`{"context":{}}`), unavailable},
		{"an empty object", saysJSON(`{}`), unavailable},
		{"a text", saysJSON(`{"decision":"true"}`), unavailable},
		{"a number", saysJSON(`{"decision":1}`), unavailable},
		{"null", saysJSON(`{"decision":null}`), unavailable},
		{"an object", saysJSON(`{"decision":{"decision":true}}`), unavailable},
		{"twice", saysJSON(`{"decision":true,"decision":true}`), unavailable},
		{"twice, false first", saysJSON(`{"decision":false,"decision":true}`), unavailable},
		{"twice, by an escape", saysJSON(`{"decision":false,"\u0064ecision":true}`), unavailable},
		{"another member twice", saysJSON(`{"decision":true,"x":1,"x":2}`), unavailable},
		{"another case", saysJSON(`{"Decision":true}`), unavailable},
		{"another case beside it", saysJSON(`{"decision":true,"DECISION":false}`), unavailable},
		{"another s", saysJSON(`{"decision":true,"deciſion":false}`), unavailable},
		{"an array", saysJSON(`[{"decision":true}]`), unavailable},
		{"a bare boolean", saysJSON(`true`), unavailable},
		{"a list", saysJSON(`{"evaluations":[{"decision":true}]}`), unavailable},
		{"text behind it", saysJSON(`{"decision":true}{"decision":false}`), unavailable},
		{"half of it", saysJSON(`{"decision":true`), unavailable},
		{"a comma too many", saysJSON(`{"decision":true,}`), unavailable},
		{"a byte order mark", saysJSON("\ufeff" + `{"decision":true}`), unavailable},
		{"not UTF-8", saysJSON(`{"decision":true,"x":"` + "\xff" + `"}`), unavailable},
		{"empty", saysJSON(``), unavailable},
		{"HTML", says(200, "text/html", `<html>`+secret+`</html>`), unavailable},
		{"JSON as HTML", says(200, "text/html", `{"decision":true}`), unavailable},
		{"JSON as text", says(200, "text/plain", `{"decision":true}`), unavailable},
		{"JSON as nothing", says(200, "", `{"decision":true}`), unavailable},
		{"JSON as something else", says(200, "application/json; =", `{"decision":true}`), unavailable},
		{"64 KiB", saysJSON(`{"decision":true` + strings.Repeat(" ", 64<<10-17) + `}`), met},
		{"64 KiB and one byte", saysJSON(`{"decision":true` + strings.Repeat(" ", 64<<10-16) + `}`), unavailable},
		{"10 MB", saysJSON(`{"decision":true,"x":"` + strings.Repeat("x", 10<<20) + `"}`), unavailable},
		{"deep", saysJSON(`{"decision":true,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`), unavailable},
		{"201", says(201, "application/json", `{"decision":true}`), unavailable},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, unavailable},
		{"AuthZEN §10.1.3 400", says(400, "application/json", `{"decision":true,"x":"`+secret+`"}`), unavailable},
		{"AuthZEN §10.1.3 401", says(401, "application/json", `{"decision":true}`), unavailable},
		{"AuthZEN §10.1.3 403", says(403, "application/json", `{"decision":true}`), unavailable},
		{"404", says(404, "application/json", `{"decision":true}`), unavailable},
		{"429", says(429, "application/json", `{"decision":true}`), unavailable},
		{"AuthZEN §10.1.3 500", says(500, "application/json", `{"decision":true}`), unavailable},
		{"503", says(503, "text/plain", secret), unavailable},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, unavailable},
		{"307", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/access/v1/evaluation", http.StatusTemporaryRedirect)
		}, unavailable},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, unavailable},
		{"drop by drop", drips, unavailable},
		{"a body that breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"decision":true}`)
		}, unavailable},
		{"a connection that breaks off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, unavailable},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			_, _ = io.WriteString(conn, secret+"\r\n\r\n")
			_ = conn.Close()
		}, unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.answer(tt.answer)
			allowed, err := c.Holds(t.Context(), ada(pay(t, `account_id: "`+secret+`"`)))
			if got := outcome(allowed, err); got != tt.want {
				t.Errorf("got %s: %v, want %s", got, err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), secret) || len(err.Error()) > 400) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := elsewhere.requests.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// drips sends a byte from time to time, until the client has gone.
func drips(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// TestNoServer: a policy decision point that does not exist.
func TestNoServer(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	p.Close()
	_, err := condition(t, newPoint(t, p), about("'"+secret+"'")).Holds(t.Context(), ada(nil))
	if !errors.Is(err, token.ErrUnavailable) || errors.Is(err, token.ErrInvalid) || strings.Contains(err.Error(), secret) ||
		!strings.HasPrefix(err.Error(), "the policy decision point: dial tcp 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

// TestUnknownCertificate: a server that cannot prove who it is gets no question.
func TestUnknownCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(saysJSON(`{"decision":true}`))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	point, err := authzen.New(authzen.Config{URL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = condition(t, point, about("'1'")).Holds(t.Context(), ada(nil))
	if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	known, err := authzen.New(authzen.Config{URL: server.URL, HTTPClient: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(condition(t, known, about("'1'")).Holds(t.Context(), ada(nil))); got != met {
		t.Errorf("with its certificate: got %s", got)
	}
}

// TestGivingUp: a call that ends does not wait for the answer, shared or not.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	for _, cacheFor := range []time.Duration{0, time.Minute} {
		p := newPDP(t)
		arrived, release := make(chan struct{}, 1), make(chan struct{})
		p.answer(func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-release
			saysJSON(`{"decision":true}`)(w, r)
		})
		var records recorder
		point := newPoint(t, p, func(c *authzen.Config) { c.Timeout, c.Logger = 30*time.Second, records.logger() })
		q := about("'1'")
		q.CacheFor = cacheFor
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-arrived
			cancel()
		}()
		_, err := condition(t, point, q).Holds(ctx, ada(nil))
		if !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v: got %v", cacheFor, err)
		}
		close(release)
		if lines := records.lines(); lines != nil {
			t.Errorf("%v: it is no outage: %q", cacheFor, lines)
		}
	}
}

// TestPanics: a call is unavailable if the HTTP client panics.
func TestPanics(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	for _, cacheFor := range []time.Duration{0, time.Minute} {
		point := newPoint(t, p, func(c *authzen.Config) { c.HTTPClient = &http.Client{Transport: panics{}} })
		q := about("'1'")
		q.CacheFor = cacheFor
		_, err := condition(t, point, q).Holds(t.Context(), ada(nil))
		if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "panicked") {
			t.Errorf("got %v", err)
		}
	}
}

type panics struct{}

func (panics) RoundTrip(*http.Request) (*http.Response, error) { panic("a bug") }

// TestTurns: the number of requests on their way is bounded, and the time of waiting too.
func TestTurns(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	p.answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		saysJSON(`{"decision":true}`)(w, r)
	})
	point := newPoint(t, p, func(c *authzen.Config) { c.MaxConcurrent, c.Timeout = 1, 30*time.Second })
	c := condition(t, point, about("'1'"))
	first, second := make(chan string), make(chan string)
	hold := func(ctx context.Context, done chan<- string) { done <- outcome(c.Holds(ctx, ada(nil))) }
	go hold(t.Context(), first)
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	go hold(ctx, second)
	cancel()
	if got := <-second; got != unavailable {
		t.Errorf("the second got %s", got)
	}
	close(release)
	if got := <-first; got != met {
		t.Errorf("the first got %s", got)
	}
	if n := p.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestBusy: a question whose turn does not come in time has no answer.
func TestBusy(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	arrived := make(chan struct{})
	p.answer(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	point := newPoint(t, p, func(c *authzen.Config) { c.MaxConcurrent, c.Timeout = 1, 30*time.Second })
	c := condition(t, point, about("'1'"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan string)
	go func() { done <- outcome(c.Holds(ctx, ada(nil))) }()
	<-arrived
	authzen.SetTimeout(point, time.Millisecond)
	if _, err := c.Holds(t.Context(), ada(nil)); !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "too many questions") {
		t.Errorf("got %v", err)
	}
	cancel()
	<-done
}

// TestReconnecting: a connection that the other side has closed in the meantime is no outage.
func TestReconnecting(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	c := condition(t, newPoint(t, p), about("'1'"))
	for i := range 20 {
		if got := outcome(c.Holds(t.Context(), ada(nil))); got != met {
			t.Fatalf("%d: got %s", i, got)
		}
		p.CloseClientConnections()
	}
}

// FuzzDecision: what is not an object with exactly one decision that is true allows nothing.
func FuzzDecision(f *testing.F) {
	for _, seed := range []string{`{"decision":true}`, `{"decision":false}`, `{"evaluations":[{"decision":true}]}`, `{"decision":true,"Decision":false}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		allowed, err := authzen.ParseDecision(body)
		if allowed && (err != nil || !strings.Contains(string(body), "true")) {
			t.Errorf("allowed by %q", body)
		}
		list := fmt.Appendf(nil, `{"evaluations":[%s,{"decision":true}]}`, body)
		if all, err := authzen.ParseDecisions(list, 2); all && (err != nil || !allowed) {
			t.Errorf("allowed by %q", list)
		}
	})
}
