package authzen_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy/authzen"
)

func noToken(context.Context) (string, error) { return "t", nil }

// TestConfigFaults has a configuration for each fault.
func TestConfigFaults(t *testing.T) {
	t.Parallel()
	const good = "https://pdp.example.com"
	for _, tt := range []struct {
		name   string
		config authzen.Config
		want   []string
	}{
		{"no URL", authzen.Config{}, []string{`authzen: URL: is required`}},
		{"http", authzen.Config{URL: "http://pdp.example.com"}, []string{`authzen: URL: "http://pdp.example.com" is http; only https protects`}},
		{"a query", authzen.Config{URL: good + "?a=b"}, []string{`authzen: URL: "https://pdp.example.com?a=b" has a query`}},
		{"a password", authzen.Config{URL: "https://a:hush@pdp.example.com"}, []string{`authzen: URL: "https://a:xxxxx@pdp.example.com" has no host, or more`}},
		{"no URL at all", authzen.Config{URL: "https://pdp.example.com:port"}, []string{`authzen: URL: is not a URL`}},
		{"a query, in plaintext", authzen.Config{URL: "http://pdp?a", AllowPlaintextURL: true}, []string{`authzen: URL: "http://pdp?a" has a query`}},
		{"plaintext without need", authzen.Config{URL: good, AllowPlaintextURL: true}, []string{`authzen: AllowPlaintextURL: is set, and no URL needs it`}},
		{"plaintext on loopback", authzen.Config{URL: "http://127.0.0.1", AllowPlaintextURL: true}, []string{`authzen: AllowPlaintextURL: is set, and no URL needs it`}},
		{"an http endpoint", authzen.Config{URL: good, EvaluationURL: "http://pdp.example.com/a"}, []string{`authzen: EvaluationURL: "http://pdp.example.com/a" is not an https URL`}},
		{"a path as endpoint", authzen.Config{URL: good, EvaluationsURL: "/a"}, []string{`authzen: EvaluationsURL: "/a" is not an https URL`}},
		{"a malformed endpoint", authzen.Config{URL: good, EvaluationsURL: "https://a:hush@b:c"}, []string{`authzen: EvaluationsURL: is not an https URL`}},
		{"an endpoint with a password", authzen.Config{URL: good, EvaluationsURL: "https://a:hush@b"}, []string{`authzen: EvaluationsURL: "https://a:xxxxx@b" is not an https URL`}},
		{"an endpoint beside discovery", authzen.Config{URL: good, EvaluationURL: good + "/a", Discover: true}, []string{`authzen: EvaluationURL: "https://pdp.example.com/a" is set beside Discover, which finds it`}},
		{"a token that is none", authzen.Config{URL: good, BearerToken: "hush no"}, []string{`authzen: BearerToken: holds a character`}},
		{"two tokens", authzen.Config{URL: good, BearerToken: "hush", TokenSource: noToken}, []string{`authzen: TokenSource: is set beside BearerToken`}},
		{"two authorizations", authzen.Config{URL: good, TokenSource: noToken, Header: http.Header{"authorization": {"hush"}}}, []string{`authzen: Header: "authorization" is set beside BearerToken or TokenSource`}},
		{"a field that is none", authzen.Config{URL: good, Header: http.Header{"a b": {"hush"}}}, []string{`authzen: Header: "a b" is not a header field`}},
		{"a value that is none", authzen.Config{URL: good, Header: http.Header{"X-Key": {"hush\n"}}}, []string{`authzen: Header: "X-Key" is not a header field, or has a value`}},
		{"a field that is ours", authzen.Config{URL: good, Header: http.Header{"content-type": {"hush"}}}, []string{`authzen: Header: "content-type" is set by this package`}},
		{
			"several", authzen.Config{
				URL: "x", Timeout: time.Minute, MaxConcurrent: -1, MaxElements: 1001, Header: http.Header{"": nil, "Host": nil, "Te": nil},
			},
			[]string{
				`authzen: URL: "x" is not an absolute URL`, `authzen: Header: is not a header field`, `authzen: Header: "Host" is set by`, `authzen: Header: "Te" is set by`,
				`authzen: Timeout: "1m0s" is not between 0 and 30s`, `authzen: MaxConcurrent: "-1" is negative`, `authzen: MaxElements: "1001" is not between 0 and 1000`,
			},
		},
		{"negative", authzen.Config{URL: good, Timeout: -1, MaxElements: -1}, []string{`authzen: Timeout: "-1ns" is not`, `authzen: MaxElements: "-1" is not`}},
		{"good", authzen.Config{URL: good}, nil},
		{"good, with everything", authzen.Config{
			URL: good + "/tenant1", EvaluationURL: "https://other.example.com/a?b=c", EvaluationsURL: "http://127.0.0.1/x", TokenSource: noToken,
			Header: http.Header{"X-Key": {"k"}}, HTTPClient: &http.Client{}, Timeout: time.Second, MaxConcurrent: 1, MaxElements: 1, MaxCached: -1,
		}, nil},
		{"good, in plaintext", authzen.Config{URL: "http://pdp:8080", AllowPlaintextURL: true, EvaluationURL: "http://pdp:8081/a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			point, err := authzen.New(tt.config)
			var got []string
			for f := range fault.All(err) {
				got = append(got, f.Error())
			}
			if len(got) != len(tt.want) || (point == nil) != (len(tt.want) > 0) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) || strings.Contains(got[i], "hush") {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

// TestRedaction: nothing that prints a configuration prints its secrets.
func TestRedaction(t *testing.T) {
	t.Parallel()
	config := authzen.Config{URL: "https://pdp.example.com", BearerToken: "hush", Header: http.Header{"X-Key": {"hush"}}}
	point, err := authzen.New(config)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Config authzen.Config
		Point  *authzen.DecisionPoint
	}
	var log bytes.Buffer
	for _, value := range []any{config, &config, point, holder{config, point}, []any{config, point}, map[string]any{"c": config, "p": point}} {
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).Info("x", "value", value)
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		log.Write(encoded)
		fmt.Fprintf(&log, "%v %+v %#v %s %q", value, value, value, value, value)
	}
	fmt.Fprintf(&log, "%+v", struct{ point *authzen.DecisionPoint }{point})
	if text := log.String(); strings.Contains(text, "hush") || !strings.Contains(text, "AuthZEN at https://pdp.example.com") {
		t.Errorf("got %s", text)
	}
	for url, want := range map[string]string{"https://a:hush@b": "AuthZEN at https://a:xxxxx@b", "https://hush:x:": "AuthZEN at a malformed URL"} {
		if got := (authzen.Config{URL: url}).String(); got != want {
			t.Errorf("got %s", got)
		}
	}
}

// TestCredentials: how a request is authenticated, and that a configuration is copied.
func TestCredentials(t *testing.T) {
	t.Parallel()
	p := newPDP(t)
	values := []string{"k1", "k2"}
	field := http.Header{"x-key": values}
	point := newPoint(t, p, func(c *authzen.Config) { c.BearerToken, c.Header = "static", field })
	values[0] = "changed"
	field.Set("X-Later", "x")
	ask := func(point *authzen.DecisionPoint) http.Header {
		if got := outcome(condition(t, point, about("'1'")).Holds(t.Context(), ada(nil))); got != met {
			t.Errorf("got %s", got)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.header
	}
	first := ask(point)
	if first.Get("Authorization") != "Bearer static" || strings.Join(first["X-Key"], " ") != "k1 k2" || first.Get("X-Later") != "" || first.Get("Accept") != "application/json" {
		t.Errorf("got %v", first)
	}
	if second := ask(point); second.Get("X-Request-Id") == first.Get("X-Request-Id") {
		t.Errorf("two requests have the identifier %q", second.Get("X-Request-Id"))
	}
	n := 0
	source := newPoint(t, p, func(c *authzen.Config) {
		c.TokenSource = func(context.Context) (string, error) {
			n++
			return fmt.Sprintf("t%d", n), nil
		}
	})
	for i := 1; i < 3; i++ {
		if got := ask(source).Get("Authorization"); got != fmt.Sprintf("Bearer t%d", i) {
			t.Errorf("got %q", got)
		}
	}
	basic := newPoint(t, p, func(c *authzen.Config) { c.Header = http.Header{"Authorization": {"Basic eDp5"}} })
	if got := ask(basic).Get("Authorization"); got != "Basic eDp5" {
		t.Errorf("got %q", got)
	}
}

// TestEndpoints: where questions are sent to.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change    func(url string, c *authzen.Config)
		one, many string
	}{
		"AuthZEN §10.1 by default": {func(string, *authzen.Config) {}, "/access/v1/evaluation", "/access/v1/evaluations"},
		"below a path":             {func(_ string, c *authzen.Config) { c.URL += "/t1/" }, "/t1/access/v1/evaluation", "/t1/access/v1/evaluations"},
		"elsewhere":                {func(url string, c *authzen.Config) { c.EvaluationURL, c.EvaluationsURL = url+"/one?a=b", url+"/many" }, "/one?a=b", "/many"},
	} {
		p := newPDP(t)
		var got []string
		p.answer(func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.URL.String())
			saysJSON(`{"decision":true,"evaluations":[{"decision":true}]}`)(w, r)
		})
		point := newPoint(t, p, func(c *authzen.Config) { tt.change(p.URL, c) })
		for _, path := range []string{"request.account_id", "request.ids"} {
			if got := outcome(condition(t, point, about(path)).Holds(t.Context(), ada(pay(t, `account_id: "a" ids: "b"`)))); got != met {
				t.Errorf("%s: got %s", name, got)
			}
		}
		if len(got) != 2 || got[0] != tt.one || got[1] != tt.many {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
