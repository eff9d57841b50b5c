package httpbridge_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// isEvent recognizes the writes that the tests hold.
func isEvent(first []byte) bool { return bytes.HasPrefix(first, []byte("event")) }

// TestHold: the first write of a server that begins to write before the decision,
// as MCP servers do, is held if it is of the expected kind. Then the response
// stands as it is, or the denial replaces it (RPC-1, MCP-2).
func TestHold(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 1000)
	for _, row := range []struct {
		name    string
		respond func(w http.ResponseWriter)
		status  int
		body    string
		tooLate bool // nothing is held any longer when the denial comes
	}{
		{"nothing", func(http.ResponseWriter) {}, http.StatusOK, "", false},
		{"the event", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "event") }, http.StatusOK, "event", false},
		{"a long event", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "event"+long) }, http.StatusOK, "event" + long, false},
		{"the event and a flush", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "event")
			_ = http.NewResponseController(w).Flush()
		}, http.StatusOK, "event", false},
		{"the event and two flushes", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "event")
			w.(http.Flusher).Flush()
			w.(http.Flusher).Flush()
		}, http.StatusOK, "event", false},
		{"a buffer that is reused", func(w http.ResponseWriter) {
			buffer := []byte("event")
			_, _ = w.Write(buffer)
			copy(buffer, "xxxxx")
		}, http.StatusOK, "event", false},
		{"a body of another kind", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "answer") }, http.StatusOK, "answer", true},
		{"an event that is not the first", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "answer")
			_, _ = io.WriteString(w, "event")
		}, http.StatusOK, "answerevent", true},
		{"a second write", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "event")
			_, _ = io.WriteString(w, "event")
		}, http.StatusOK, "eventevent", true},
		{"a second write after a flush", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "event")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, long)
		}, http.StatusOK, "event" + long, true},
		{"a status before", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, "event")
		}, http.StatusAccepted, "event", true},
		{"a status after, which comes too late", func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "event")
			w.WriteHeader(http.StatusInternalServerError)
		}, http.StatusOK, "event", true},
		{"no content", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, http.StatusNoContent, "", true},
		{"a flush before", func(w http.ResponseWriter) {
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "event")
		}, http.StatusOK, "event", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, httpbridge.Config{})
			call := newBackend(t, w)
			server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				recorded := exchange.FromContext(r.Context())
				recorded.Hold(isEvent)
				rw.Header().Set("X-Handler", "before")
				row.respond(rw)
				rw.Header().Set("X-Handler", "after")
				_ = call(r.Context(), r.URL.Query().Get("token"))
				if r.URL.Query().Has("release") {
					recorded.Release()
					recorded.Release() // A second one does nothing.
				}
			})))
			for _, release := range []string{"", "&release"} {
				got := send(t, http.MethodPost, server+"/mcp?token="+tokenGood+release, nil)
				if got.status != row.status || got.body != row.body || got.header.Get("Www-Authenticate") != "" {
					t.Errorf("released: got %+v", got)
				}
				if row.tooLate && got.header.Get("X-Handler") != "before" {
					t.Errorf("the header was changed after it was written: %v", got.header)
				}
				got = send(t, http.MethodPost, server+"/mcp?token="+tokenRead+release, nil)
				if row.tooLate {
					if got.status != row.status || got.body != row.body || got.header.Get("Www-Authenticate") != "" {
						t.Errorf("too late: got %d, %d bytes", got.status, len(got.body))
					}
					continue
				}
				checkAnswer(t, got, http.StatusForbidden, mcpChallenge, scopeBody)
			}
		})
	}
}

// TestHoldPredicate: the predicate sees the first write alone, and nothing after
// Release.
func TestHoldPredicate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	for _, row := range []struct {
		name    string
		release bool // before the first write
		want    string
	}{
		{"not released", false, "event 1"},
		{"released before", true, ""},
	} {
		for _, kept := range []bool{false, true} {
			var seen strings.Builder
			rw := &countingWriter{reusedWriter: reusedWriter{header: make(http.Header)}}
			w.Handler(http.HandlerFunc(func(held http.ResponseWriter, r *http.Request) {
				recorded := exchange.FromContext(r.Context())
				recorded.Hold(func(first []byte) bool {
					seen.Write(first)
					return kept
				})
				if row.release {
					recorded.Release()
				}
				for i, text := range []string{"event 1", "event 2", "event 3"} {
					if n, err := io.WriteString(held, text); n != len(text) || err != nil {
						t.Errorf("wrote %d bytes, %v", n, err)
					}
					if holding := i == 0 && kept && !row.release; (rw.written.String() == "") != holding {
						t.Errorf("%s, kept %t: %q is written after write %d", row.name, kept, &rw.written, i)
					}
				}
			})).ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/mcp", http.NoBody))
			if seen.String() != row.want || rw.written.String() != "event 1event 2event 3" {
				t.Errorf("%s, kept %t: the predicate saw %q, the client %q", row.name, kept, &seen, &rw.written)
			}
		}
	}
	// Outside of a bridge, Hold and Release do nothing.
	none := exchange.FromContext(t.Context())
	none.Hold(isEvent)
	none.Release()
}

// countingWriter keeps what is written, and counts flushes.
type countingWriter struct {
	reusedWriter

	written strings.Builder
	flushed int
}

func (w *countingWriter) Write(data []byte) (int, error) { return w.written.Write(data) }
func (w *countingWriter) Flush()                         { w.flushed++ }

// TestReleaseAfterwards: Release writes nothing once the handler has returned, as
// net/http requires.
func TestReleaseAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	for name, respond := range map[string]func(http.ResponseWriter){
		"nothing":               func(http.ResponseWriter) {},
		"the event":             func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, "event") },
		"the event and a flush": func(rw http.ResponseWriter) { _, _ = io.WriteString(rw, "event"); rw.(http.Flusher).Flush() },
	} {
		rw := &countingWriter{reusedWriter: reusedWriter{header: make(http.Header)}}
		var recorded *exchange.Exchange
		w.Handler(http.HandlerFunc(func(held http.ResponseWriter, r *http.Request) {
			recorded = exchange.FromContext(r.Context())
			recorded.Hold(isEvent)
			respond(held)
		})).ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/mcp", http.NoBody))
		written, flushed, status := rw.written.String(), rw.flushed, rw.status
		recorded.Denials.Deny(denied, denied)
		recorded.Release()
		if rw.written.String() != written || rw.flushed != flushed || rw.status != status {
			t.Errorf("%s: %q became %q, %d flushes %d", name, written, &rw.written, flushed, rw.flushed)
		}
		if name == "the event and a flush" && flushed != 1 {
			t.Errorf("%d flushes", flushed)
		}
	}
}

// TestReleaseAnywhere: Release may be called by any goroutine at any time. Each
// response is whole: that of the handler or the denial.
func TestReleaseAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	var late sync.WaitGroup
	var held atomic.Int64
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		recorded := exchange.FromContext(r.Context())
		recorded.Hold(func(first []byte) bool {
			held.Add(1)
			return isEvent(first)
		})
		deny := r.URL.RawQuery == "deny"
		var decided sync.WaitGroup
		for range 4 {
			late.Go(recorded.Release) // perhaps before the first write, perhaps when all is over
			decided.Go(func() {
				if deny {
					recorded.Denials.Deny(denied, denied)
				}
				recorded.Release()
			})
		}
		_, _ = io.WriteString(rw, "event")
		rw.(http.Flusher).Flush()
		if !deny {
			decided.Wait()
		}
		late.Go(func() { decided.Wait(); recorded.Release() })
	})))
	clients := map[string]*http.Client{"HTTP/1.1": {Transport: new(http.Transport)}, "HTTP/2": rpctest.H2C(t)}
	for name, client := range clients {
		t.Run(name, func(t *testing.T) {
			defer client.CloseIdleConnections()
			var callers sync.WaitGroup
			for i := range 64 {
				query := []string{"", "?deny"}[i%2]
				callers.Go(func() {
					res, err := client.Get(server + "/mcp" + query)
					if err != nil {
						t.Error(err)
						return
					}
					defer res.Body.Close()
					body, err := io.ReadAll(res.Body)
					stands := res.StatusCode == http.StatusOK && string(body) == "event" && res.Header.Get("Www-Authenticate") == ""
					denied := res.StatusCode == http.StatusForbidden && string(body) == deniedBody && res.Header.Get("Www-Authenticate") == deniedChallenge
					if err != nil || !stands && (query == "" || !denied) {
						t.Errorf("got %d %q, %v, %v", res.StatusCode, body, res.Header, err)
					}
				})
			}
			callers.Wait()
		})
	}
	late.Wait()
	if n := held.Load(); n == 0 || n > 128 {
		t.Errorf("the predicates were called %d times for 128 responses", n)
	}
}

// TestHoldBehindInformational: an informational status is not a response, so the
// first write after it is held.
func TestHoldBehindInformational(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	denied := &challenge.DenialError{Reason: challenge.ReasonInsufficientScope}
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		recorded := exchange.FromContext(r.Context())
		recorded.Hold(func([]byte) bool { return true })
		rw.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(rw, "early")
		recorded.Denials.Deny(denied, denied)
	})))
	if got := send(t, http.MethodPost, server+"/mcp", nil); got.status != http.StatusForbidden {
		t.Errorf("got %+v", got)
	}
}
