package authzen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

// A pdpMetadata serves the metadata of a pdp beside it (AuthZEN §9).
type pdpMetadata struct {
	document atomic.Pointer[string]
	requests atomic.Int64
}

const wellKnown = "/.well-known/authzen-configuration"

// discovering returns a DecisionPoint for p, below a path.
func discovering(t *testing.T, p *pdp, path string, now func() time.Time) (*authzen.DecisionPoint, *pdpMetadata) {
	t.Helper()
	m := new(pdpMetadata)
	handler := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, wellKnown) {
			handler.ServeHTTP(w, r)
			return
		}
		m.requests.Add(1)
		if r.Method != http.MethodGet || r.URL.Path != wellKnown+path || r.Header.Get("Authorization") != "Bearer raw" {
			t.Errorf("AuthZEN §9.2: got %s %s", r.Method, r.URL)
		}
		document := m.document.Load()
		if document == nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, *document)
	})
	point, err := authzen.NewAt(authzen.Config{URL: p.URL + path, Discover: true, BearerToken: "raw", Logger: new(recorder).logger()}, now)
	if err != nil {
		t.Fatal(err)
	}
	return point, m
}

func (m *pdpMetadata) set(document string, args ...any) {
	m.document.Store(new(fmt.Sprintf(document, args...)))
}

// ask asks once, about a list or not.
func ask(t *testing.T, point *authzen.DecisionPoint, path string) (string, error) {
	t.Helper()
	allowed, err := condition(t, point, about(path)).Holds(t.Context(), ada(pay(t, `account_id: "a" ids: "b"`)))
	return outcome(allowed, err), err
}

// TestMetadata has a row for each document.
func TestMetadata(t *testing.T) {
	t.Parallel()
	const one, many, cut = `"access_evaluation_endpoint":"%[1]s/access/v1/evaluation"`, `"access_evaluations_endpoint":"%[1]s/access/v1/evaluations"`, `"policy_decision_point":"%[1]s"`
	for _, tt := range []struct{ name, document, one, many string }{
		{"both", `{` + cut + `,` + one + `,` + many + `,"search_subject_endpoint":1,"capabilities":[]}`, met, met},
		{"AuthZEN §9.1.1 one alone", `{` + cut + `,` + one + `}`, met, unavailable},
		{"AuthZEN §9.1.1 the other alone", `{` + cut + `,` + many + `}`, unavailable, unavailable},
		{"AuthZEN §9.2.3 another decision point", `{"policy_decision_point":"%[1]s/",` + one + `}`, unavailable, unavailable},
		{"AuthZEN §9.2.3 none", `{` + one + `}`, unavailable, unavailable},
		{"plaintext elsewhere", `{` + cut + `,"access_evaluation_endpoint":"http://pdp.example.com/a"}`, unavailable, unavailable},
		{"a path", `{` + cut + `,"access_evaluation_endpoint":"/access/v1/evaluation"}`, unavailable, unavailable},
		{"another scheme", `{` + cut + `,"access_evaluation_endpoint":"file:///etc/passwd"}`, unavailable, unavailable},
		{"plaintext for lists", `{` + cut + `,` + one + `,"access_evaluations_endpoint":"http://pdp.example.com/a"}`, unavailable, unavailable},
		{"no text", `{` + cut + `,"access_evaluation_endpoint":1}`, unavailable, unavailable},
		{"null", `{` + cut + `,` + one + `,"access_evaluations_endpoint":null}`, unavailable, unavailable},
		{"twice", `{` + cut + `,` + one + `,` + one + `}`, unavailable, unavailable},
		{"another case", `{` + cut + `,"Access_Evaluation_Endpoint":"%[1]s/access/v1/evaluation"}`, unavailable, unavailable},
		{"no JSON", `<html>`, unavailable, unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPDP(t)
			point, m := discovering(t, p, "", time.Now)
			m.set(tt.document, p.URL)
			for _, row := range [][2]string{{"request.account_id", tt.one}, {"request.ids", tt.many}} {
				if got, err := ask(t, point, row[0]); got != row[1] || err != nil && len(err.Error()) > 300 {
					t.Errorf("%s: got %s: %v, want %s", row[0], got, err, row[1])
				}
			}
		})
	}
}

// TestMetadataLess: an https decision point does not lead to plaintext, not even on loopback.
func TestMetadataLess(t *testing.T) {
	t.Parallel()
	const url = "https://pdp.example.com"
	point, err := authzen.New(authzen.Config{URL: url, Discover: true, Logger: new(recorder).logger(), HTTPClient: &http.Client{Transport: answers(
		`{"policy_decision_point":"` + url + `","access_evaluation_endpoint":"http://127.0.0.1/a"}`,
	)}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, point, "'1'"); got != unavailable || !strings.Contains(err.Error(), "less protected") {
		t.Errorf("got %s: %v", got, err)
	}
}

// answers is a transport with one answer.
type answers string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r,
	}, nil
}

// TestRefresh: metadata is read again after an hour, and soon after an outage. While it cannot
// be read, the last endpoints are used.
func TestRefresh(t *testing.T) {
	t.Parallel()
	p, now := newPDP(t), newClock()
	point, m := discovering(t, p, "/t1", now.Now)
	step := func(name, want string, requests int64) {
		t.Helper()
		before := m.requests.Load()
		if got, err := ask(t, point, "'1'"); got != want || m.requests.Load()-before != requests {
			t.Errorf("%s: got %s: %v, and %d requests, want %s and %d", name, got, err, m.requests.Load()-before, want, requests)
		}
	}
	const document = `{"policy_decision_point":"%[1]s/t1","access_evaluation_endpoint":"%[1]s%[2]s"}`
	step("no metadata yet", unavailable, 1)
	m.set(document, p.URL, "/old")
	step("too early", unavailable, 0)
	now.Move(time.Second)
	p.answer(saysJSON(`{"decision":true}`))
	step("found", met, 1)
	now.Move(time.Hour - 1)
	step("known", met, 0)
	now.Move(1)
	step("old", met, 1)
	m.document.Store(nil)
	now.Move(time.Hour)
	step("old, and not to be had", met, 1)
	step("too early", met, 0)
	now.Move(10 * time.Second)
	step("again", met, 1)
	p.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		saysJSON(`{"decision":true}`)(w, r)
	})
	m.set(document, p.URL, "/new")
	step("moved", unavailable, 0)
	now.Move(10 * time.Second)
	step("found again", met, 1)
	now.Move(10 * time.Second)
	step("known", met, 0)
}

// TestDiscoveryIsShared: callers wait for one request, and one that gives up fails no other.
func TestDiscoveryIsShared(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	const url = "https://pdp.example.com"
	point, err := authzen.New(authzen.Config{URL: url, Discover: true, Timeout: 30 * time.Second, Logger: new(recorder).logger(), HTTPClient: &http.Client{
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				return answers(`{"decision":true}`).RoundTrip(r)
			}
			arrived <- struct{}{}
			<-release
			return answers(`{"policy_decision_point":"` + url + `","access_evaluation_endpoint":"` + url + `/a"}`).RoundTrip(r)
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := condition(t, point, about("'1'"))
	outcomes := make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { outcomes <- outcome(c.Holds(ctx, ada(nil))) }()
	<-arrived
	cancel()
	if got := <-outcomes; got != unavailable {
		t.Errorf("the first got %s", got)
	}
	for range 9 {
		go func() { outcomes <- outcome(c.Holds(t.Context(), ada(nil))) }()
	}
	close(release)
	for range 9 {
		if got := <-outcomes; got != met {
			t.Errorf("got %s", got)
		}
	}
	if len(arrived) > 0 {
		t.Error("the metadata was requested more than once")
	}
}

type transport func(r *http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestDiscoveryPanics: nor does it let anybody in if the token source fails.
func TestDiscoveryPanics(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]func(context.Context) (string, error){
		"a panic":  func(context.Context) (string, error) { panic("a bug") },
		"an error": func(context.Context) (string, error) { return "", errors.New("no token") },
	} {
		point, err := authzen.New(authzen.Config{URL: "https://pdp.example.com", Discover: true, TokenSource: source, Logger: new(recorder).logger()})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ask(t, point, "'1'"); got != unavailable {
			t.Errorf("%s: got %s: %v", name, got, err)
		}
	}
	var q policy.Question
	if _, err := newPoint(t, newPDP(t)).CompileQuestion(q, policy.Target{}); err == nil {
		t.Error("the zero question was compiled")
	}
}
