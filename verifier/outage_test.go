package verifier_test

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

func TestIssuerDownAtStart(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	raw := f.mint()
	f.issuer.Down()
	f.refuses(t, raw, token.ErrUnavailable)
	f.issuer.Up()
	f.fetches(t, 0, func() { f.refuses(t, raw, token.ErrUnavailable) }) // no caller waits in the cool-down
	f.Advance(coolDown)
	f.fetches(t, 1, func() { f.accepts(t, raw) })
}

func TestIssuerDownLater(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	f.accepts(t, f.mint())
	f.issuer.Down()
	f.Advance(coolDown)
	// The key may be new.
	f.refuses(t, f.mint(unknownKey(1)), token.ErrUnavailable)
	f.refuses(t, f.mint(unknownKey(2)), token.ErrUnavailable)
	f.accepts(t, f.mint())
	f.refuses(t, f.mint(forged), token.ErrInvalid)
	f.issuer.Up()
	f.Advance(coolDown)
	f.refuses(t, f.mint(unknownKey(3)), token.ErrInvalid)
}

// TestLongOutage proves that keys are not given up because the issuer is
// unreachable, and that callers wait for it only once.
func TestLongOutage(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
	raw := f.mint()
	f.accepts(t, raw)
	f.issuer.Down()
	f.Advance(3 * interval)
	f.accepts(t, raw)
	f.verifier.AwaitFetch()
	f.issuer.Up()
	arrived, release := f.issuer.HoldKeySet()
	f.Advance(3 * interval)
	f.accepts(t, raw) // although the answer is held back
	<-arrived
	release()
}

// TestBadAnswer proves that a bad response does not replace a good key set, and
// that the verifier recovers by itself.
func TestBadAnswer(t *testing.T) {
	const html = "<html><body>Down for maintenance</body></html>"
	json := func(body string) func(string) http.Handler {
		return func(string) http.Handler { return authtest.Answer(http.StatusOK, "application/json", body) }
	}
	for _, row := range []struct {
		name   string
		answer func(goodSet string) http.Handler
	}{
		{"empty", json("")},
		{"empty object", json("{}")},
		{"empty set", json(`{"keys":[]}`)},
		{"null", json("null")},
		{"null keys", json(`{"keys":null}`)},
		{"null among the keys", json(`{"keys":[null]}`)},
		{"an array", json("[]")},
		{"only keys of no use", json(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
		{"keys in another case", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusOK, "application/json", strings.Replace(goodSet, "keys", "Keys", 1))
		}},
		{"keys twice", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusOK, "application/json", strings.TrimSuffix(goodSet, "}")+`,"keys":[]}`)
		}},
		{"32 MiB", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusOK, "application/json", goodSet+strings.Repeat(" ", 32<<20))
		}},
		{"HTML", func(string) http.Handler { return authtest.Answer(http.StatusOK, "text/html", html) }},
		{"503", func(string) http.Handler { return authtest.Answer(http.StatusServiceUnavailable, "text/html", html) }},
		{"500 with a good set", func(goodSet string) http.Handler {
			return authtest.Answer(http.StatusInternalServerError, "application/json", goodSet)
		}},
		{"cut off", func(goodSet string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(goodSet)+1))
				_, _ = w.Write([]byte(goodSet))
			})
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: -1, Logger: slog.New(slog.DiscardHandler)})
			answer := row.answer(string(f.issuer.KeySet()))
			f.survives(t, func() { f.issuer.HandleKeySet(answer) })
		})
	}
}

// survives breaks the issuer twice: before its first response, and later.
func (f *fixture) survives(t *testing.T, breakIssuer func()) {
	t.Helper()
	breakIssuer()
	f.refuses(t, f.mint(), token.ErrUnavailable)
	f.issuer.Up()
	f.Advance(coolDown)
	f.accepts(t, f.mint())

	breakIssuer()
	f.Advance(interval)
	f.accepts(t, f.mint())
	f.verifier.AwaitFetch()
	f.accepts(t, f.mint())
	f.refuses(t, f.mint(unknownKey(1)), token.ErrUnavailable)
}

// TestBadDiscovery has responses that are not a discovery document.
// zitadel/oidc panics on null.
func TestBadDiscovery(t *testing.T) {
	for _, body := range []string{"", "null", "[]", "{}", "1", `"x"`, "[null]", "<html>"} {
		t.Run(body, func(t *testing.T) {
			f := newFixture(t, verifier.Config{CacheSize: -1, Logger: slog.New(slog.DiscardHandler)})
			f.survives(t, func() {
				f.issuer.HandleDiscovery(authtest.Answer(http.StatusOK, "application/json", body))
			})
		})
	}
}

// TestFetchBreaks has fetches that end irregularly. To callers the fetch has
// failed, and the log has the details.
func TestFetchBreaks(t *testing.T) {
	for _, row := range []struct {
		name   string
		breaks func()
		log    []string
	}{
		{"panic", func() { panic("the transport broke") }, []string{"panicked", "the transport broke", "stack=", "outage_test.go"}},
		{"runtime.Goexit", runtime.Goexit, []string{"without an answer"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			lines := make(logLines, 10)
			breaks := row.breaks
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.NewTextHandler(lines, nil)), JWT: []verifier.JWTConfig{{HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
				breaks()
				return http.DefaultTransport.RoundTrip(r)
			})}}}})
			inAllCalls(20, func(int) { f.refuses(t, f.mint(), token.ErrUnavailable) })
			line := <-lines
			for _, part := range row.log {
				if !strings.Contains(line, part) {
					t.Errorf("log has %q, want %q in it", line, part)
				}
			}
			breaks = func() {}
			f.Advance(coolDown)
			f.accepts(t, f.mint())
			if line := <-lines; !strings.Contains(line, "available again") {
				t.Errorf("log has %q as the second line", line)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestLog proves that an outage is logged once, with the age of the keys, then
// repeatedly as long as it lasts, and that its end is logged.
func TestLog(t *testing.T) {
	lines := make(logLines, 10)
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.NewTextHandler(lines, nil))})
	attempt := func() {
		f.Advance(coolDown)
		_, _ = f.verify(t, f.mint(unknownKey(1)))
	}
	expect := func(part string) {
		t.Helper()
		if line := <-lines; !strings.Contains(line, part) {
			t.Errorf("log has %q, want %q in it", line, part)
		}
	}
	f.issuer.Down()
	attempt()
	expect("keys=none")
	attempt() // not logged, or the next line would not be the expected one
	f.issuer.Up()
	attempt()
	expect("available again")
	f.issuer.Down()
	attempt()
	expect("keys_age=1s")
	attempt()
	f.Advance(time.Minute)
	attempt()
	expect("keys_age=1m3s")
}

// logLines receives each record of a text log.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}
