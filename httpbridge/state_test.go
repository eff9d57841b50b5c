package httpbridge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// loggingWriter logs the calls of its methods.
type loggingWriter struct {
	header http.Header
	calls  []string
}

func (w *loggingWriter) Header() http.Header    { return w.header }
func (w *loggingWriter) WriteHeader(status int) { w.log(fmt.Sprint("header ", status)) }
func (w *loggingWriter) Flush()                 { w.log("flush") }
func (w *loggingWriter) log(call string)        { w.calls = append(w.calls, call) }

func (w *loggingWriter) Write(data []byte) (int, error) {
	text := string(data)
	if text == deniedBody {
		text = "denial"
	}
	w.log("write " + text)
	return len(data), nil
}

func (w *loggingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.log("hijack")
	return nil, nil, nil
}

// events are what happens to a response, by name. Those after "|" in a sequence
// happen after the handler has returned or panicked.
var events = map[string]func(rw http.ResponseWriter, e *exchange.Exchange){
	"a":     func(rw http.ResponseWriter, _ *exchange.Exchange) { _, _ = io.WriteString(rw, "a") },
	"b":     func(rw http.ResponseWriter, _ *exchange.Exchange) { _, _ = io.WriteString(rw, "b") },
	"event": func(rw http.ResponseWriter, _ *exchange.Exchange) { _, _ = io.WriteString(rw, "event") },
	"tick":  func(rw http.ResponseWriter, _ *exchange.Exchange) { _, _ = io.WriteString(rw, "event tick") },
	"empty": func(rw http.ResponseWriter, _ *exchange.Exchange) { _, _ = rw.Write(nil) },
	"100":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusContinue) },
	"199":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(199) },
	"200":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusOK) },
	"101":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusSwitchingProtocols) },
	"103":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusEarlyHints) },
	"202":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusAccepted) },
	"500":   func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.WriteHeader(http.StatusInternalServerError) },
	"flush": func(rw http.ResponseWriter, _ *exchange.Exchange) { rw.(http.Flusher).Flush() },
	"grpc": func(rw http.ResponseWriter, _ *exchange.Exchange) {
		rw.Header().Set("Content-Type", "application/grpc")
	},
	"deny":    func(_ http.ResponseWriter, e *exchange.Exchange) { e.Denials.Deny(denied, denied) },
	"dismiss": func(_ http.ResponseWriter, e *exchange.Exchange) { e.Denials.Dismiss(denied) },
	"claim":   func(_ http.ResponseWriter, e *exchange.Exchange) { e.Native.Claim("/any.v1.Any/Call", nil) },
	"hold":    func(_ http.ResponseWriter, e *exchange.Exchange) { e.Hold(isEvent) },
	"release": func(_ http.ResponseWriter, e *exchange.Exchange) { e.Release() },
	"hijack": func(rw http.ResponseWriter, _ *exchange.Exchange) {
		if _, _, err := rw.(http.Hijacker).Hijack(); err != nil {
			rw.(interface{ Unwrap() http.ResponseWriter }).Unwrap().(*loggingWriter).log("hijack fails")
		}
	},
	"panic": func(http.ResponseWriter, *exchange.Exchange) { panic(http.ErrAbortHandler) },
}

// TestStates: sequences of events, and the calls that reach the server's
// ResponseWriter.
func TestStates(t *testing.T) {
	t.Parallel()
	const denial = "header 403, write denial"
	for _, row := range []struct{ name, events, want string }{
		// undecided
		{"nothing", "", ""},
		{"a body", "a, b", "write a, write b"},
		{"a status and a body", "202, a", "header 202, write a"},
		{"an informational status", "103, 202, a", "header 103, header 202, write a"},
		{"a flush", "flush, a", "flush, write a"},
		{"nothing, then a write too late", "| a", "write a"},
		{"nothing, then a denial too late", "| deny, release, a", "write a"},
		// undecided → replaced
		{"a denial", "deny", denial},
		{"before a body", "deny, a, b", denial},
		{"before an empty body", "deny, empty", denial},
		{"before a status", "deny, 202, a", denial},
		{"before two statuses", "deny, 202, 500", denial},
		{"before a flush", "deny, flush, a, flush", denial + ", flush, flush"},
		{"before an informational status", "deny, 103, a", "header 103, " + denial},
		{"before another protocol", "deny, 101, a", denial},
		{"after an informational status", "103, deny, a", "header 103, " + denial},
		{"after the first informational status", "100, deny, a", "header 100, " + denial},
		{"after the last informational status", "199, deny, a", "header 199, " + denial},
		{"before the first final status", "deny, 200, a", denial},
		{"after the first final status", "200, deny, a", "header 200, write a"},
		{"an informational status too late", "deny, a, 103", denial},
		{"a second denial", "deny, a, deny, b", denial},
		{"a dismissal too late", "deny, a, dismiss, b", denial},
		{"a write after the handler", "deny | a, 103, release", denial},
		// undecided → passing
		{"after a body", "a, deny, b", "write a, write b"},
		{"after an empty body", "empty, deny, b", "write , write b"},
		{"after a status", "202, deny, a", "header 202, write a"},
		{"after another protocol", "101, deny, a", "header 101, write a"},
		{"after a flush", "flush, deny, a", "flush, write a"},
		{"dismissed", "deny, dismiss, a", "write a"},
		{"dismissed, nothing written", "deny, dismiss", ""},
		{"in an RPC protocol", "deny, grpc, a", "write a"},
		{"in an RPC protocol, nothing written", "deny, grpc", ""},
		{"claimed", "claim, deny, a", "write a"},
		{"claimed, nothing written", "claim, deny", ""},
		{"claimed after the denial", "deny, claim, 202", "header 202"},
		// held → passing
		{"held", "hold, event", "write event"},
		{"held and flushed", "hold, event, flush, flush", "write event, flush"},
		{"held and released", "hold, event, flush, release, deny, a", "write event, flush, write a"},
		{"held, then a body", "hold, event, a, deny", "write event, write a"},
		{"held, then a second event", "hold, event, tick, deny", "write event, write event tick"},
		{"held, then a status", "hold, event, 500", "write event, header 500"},
		{"held, then dismissed", "hold, event, deny, dismiss", "write event"},
		{"held, and released too late", "hold, event | deny, release, a", "write event, write a"},
		{"claimed while held", "hold, event, claim, deny", "write event"},
		// held → replaced
		{"held, then denied", "hold, event, deny", denial},
		{"held, then denied and released", "hold, event, deny, release, release", denial},
		{"held and flushed, then denied", "hold, event, flush, deny", denial + ", flush"},
		{"held, denied, then a body", "hold, event, deny, a", denial},
		{"held, denied, then a status", "hold, event, deny, 202, a", denial},
		{"held behind an informational status", "hold, 103, event, deny", "header 103, " + denial},
		{"held before an informational status", "hold, event, 103, deny", "header 103, " + denial},
		// not held
		{"released before", "hold, release, event, deny, a", "write event, write a"},
		{"not what is held", "hold, a, deny, event", "write a, write event"},
		{"a status before", "hold, 202, event, deny", "header 202, write event"},
		{"a flush before", "hold, flush, event, deny", "flush, write event"},
		{"held too late", "a, hold, event, deny", "write a, write event"},
		{"released and never held", "release, a, deny, b", "write a, write b"},
		{"held again", "hold, event, hold, deny", denial},
		{"held again, and not denied", "hold, event, hold, release", "write event"},
		{"held again after the release", "hold, event, release, hold, event, deny", "write event, write event"},
		// hijacked
		{"hijacked", "hijack, deny", "hijack"},
		{"denied, then hijacked", "deny, hijack", "hijack"},
		{"written, then hijacked", "a, hijack, deny", "write a, hijack"},
		{"replaced, then hijacked", "deny, a, hijack, a", denial + ", hijack fails"},
		{"held, then hijacked", "hold, event, hijack, deny", "write event, hijack"},
		{"held, denied, then hijacked", "hold, event, deny, hijack", denial + ", hijack fails"},
		// panicked
		{"a panic", "panic", ""},
		{"denied, then a panic", "deny, panic | a", "write a"},
		{"written, then a panic", "a, panic | b", "write a, write b"},
		{"held, then a panic", "hold, event, flush, panic | release", ""},
		{"held and denied, then a panic", "hold, event, deny, panic | release", ""},
		{"replaced, then a panic", "deny, a, panic | b, 103, release", denial},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := happen(t, row.events); got != row.want {
				t.Errorf("%s:\n got %q\nwant %q", row.events, got, row.want)
			}
		})
	}
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' }

// happen lets a sequence of events happen to a response, and returns the calls
// that reach the server's ResponseWriter.
func happen(t *testing.T, sequence string) string {
	t.Helper()
	w := newWorld(t, httpbridge.Config{})
	server := &loggingWriter{header: make(http.Header)}
	during, afterwards, _ := strings.Cut(sequence, "|")
	var late func(names string)
	func() {
		defer func() {
			if value := recover(); (value != nil) != strings.Contains(during, "panic") {
				t.Errorf("recovered %v", value)
			}
		}()
		w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			e := exchange.FromContext(r.Context())
			late = func(names string) {
				for name := range strings.FieldsFuncSeq(names, isSeparator) {
					events[name](rw, e)
				}
			}
			late(during)
		})).ServeHTTP(server, httptest.NewRequest(http.MethodPost, "/mcp/any.v1.Any/Call", http.NoBody))
	}()
	late(afterwards)
	return strings.Join(server.calls, ", ")
}

// TestWithoutExchange: a handler that asks for nothing from the bridge gets the
// same states.
func TestWithoutExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	server := &loggingWriter{header: make(http.Header)}
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"103", "a", "flush", "b"} {
			events[name](rw, nil)
		}
	})).ServeHTTP(server, httptest.NewRequest(http.MethodPost, "/mcp", http.NoBody))
	if want := []string{"header 103", "write a", "flush", "write b"}; !slices.Equal(server.calls, want) {
		t.Errorf("got %q, want %q", server.calls, want)
	}
}

// TestConcurrentWriters: whatever goroutines write, flush, deny and dismiss at the
// same time, the client sees the denial alone, or all of the handler's response.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers = 8
	w := newWorld(t, httpbridge.Config{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				exchange.FromContext(r.Context()).Hold(isEvent) // The first one makes the exchange.
				if i%4 == 0 {
					interceptor.Relay(r.Context(), denied, denied)
				}
				if i%4 == 1 {
					httpbridge.Dismiss(r.Context(), denied)
				}
				_, _ = io.WriteString(rw, "line\n")
				rw.(http.Flusher).Flush()
				exchange.FromContext(r.Context()).Release()
			})
		}
		group.Wait()
	})))
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			res, err := http.Get(server + "/mcp")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			passed := res.StatusCode == http.StatusOK && string(body) == strings.Repeat("line\n", writers)
			replaced := res.StatusCode == http.StatusForbidden && string(body) == deniedBody
			if err != nil || !passed && !replaced {
				t.Errorf("got %d %q, %v", res.StatusCode, body, err)
			}
		})
	}
	callers.Wait()
}
