package httpbridge_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestResponseController: what net/http offers beyond the ResponseWriter works
// through the bridge.
func TestResponseController(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	server := rpctest.ServeHTTP(t, w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(rw)
		err := errors.Join(
			control.SetReadDeadline(time.Now().Add(time.Hour)),
			control.SetWriteDeadline(time.Now().Add(time.Hour)),
			control.EnableFullDuplex(),
			control.Flush(),
		)
		if _, ok := rw.(http.Flusher); !ok {
			err = errors.Join(err, errors.New("no Flusher"))
		}
		if err != nil {
			_, _ = io.WriteString(rw, err.Error())
		}
	})))
	for name, client := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": rpctest.H2C(t)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); len(body) > 0 || err != nil {
			t.Errorf("%s: %s, %v", name, body, err)
		}
		res.Body.Close()
	}
}

// TestFlushReachesTheClient: what was flushed arrives while the handler still
// runs.
func TestFlushReachesTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	received := make(chan struct{})
	server := rpctest.ServeHTTP(t, w.Protect(rpctest.PublicService, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "first\n")
		rw.(http.Flusher).Flush()
		select {
		case <-received:
			_, _ = io.WriteString(rw, "second\n")
		case <-r.Context().Done():
		}
	})))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := rpctest.H2C(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	close(received)
	if line, err := lines.ReadString('\n'); line != "second\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

// TestHijack: a handler can take over the connection where there is one to
// take.
func TestHijack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	for name, take := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"by name": func(rw http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return rw.(http.Hijacker).Hijack() },
		"by a controller": func(rw http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(rw).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			handler := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				conn, _, err := take(rw)
				if err != nil {
					http.Error(rw, err.Error(), http.StatusNotImplemented)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, "taken over")
			}))
			address := strings.TrimPrefix(rpctest.ServeHTTP(t, handler), "http://")
			if got := raw(t, address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); got != "taken over" {
				t.Errorf("got %q", got)
			}
			recorder := httptest.NewRecorder() // which cannot be hijacked
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			if recorder.Code != http.StatusNotImplemented {
				t.Errorf("got %d", recorder.Code)
			}
		})
	}
}

// TestHijacked: from then on the answer is the handler's, whatever denial it
// meets, and net/http has nothing to complain about.
func TestHijacked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	var said bytes.Buffer
	done := make(chan struct{})
	handler := w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "taken over")
		_ = call(r.Context(), tokenRead)
	}))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer close(done)
		handler.ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = log.New(&said, "", 0)
	server.Start()
	defer server.Close()
	if got := raw(t, server.Listener.Addr().String(), "GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"); got != "taken over" {
		t.Errorf("got %q", got)
	}
	<-done
	if said.Len() > 0 {
		t.Errorf("net/http says: %s", &said)
	}
}

// TestFlushNothing: a ResponseWriter that cannot flush is left alone.
func TestFlushNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	rw := &keptWriter{header: make(http.Header)}
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.(http.Flusher).Flush()
		if err := http.NewResponseController(rw).Flush(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("got %v", err)
		}
		rw.WriteHeader(http.StatusTeapot)
	})).ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if rw.status != http.StatusTeapot {
		t.Errorf("got %d", rw.status)
	}
}

// TestClientLeaves: when a client goes away, the handler ends and nothing of it
// stays behind.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Options{})
	call := newBackend(t, w)
	started, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	leaving := func(rw http.ResponseWriter, r *http.Request) {
		leavingHandler(rw, r, call, started)
		ended <- struct{}{}
	}
	for name, handler := range map[string]http.Handler{
		"Handler": w.Handler(http.HandlerFunc(leaving)),
		"Protect": w.Protect(rpctest.GuardedService, http.HandlerFunc(leaving)),
	} {
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, rpctest.ServeHTTP(t, handler)+"/mcp", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = bearer(tokenGood)
		client := rpctest.H2C(t)
		gone := make(chan error, 1)
		go func() {
			res, err := client.Do(req)
			if err == nil {
				res.Body.Close()
			}
			gone <- err
		}()
		<-started
		if running("leavingHandler") != 1 {
			t.Errorf("%s: the search for goroutines finds none", name)
		}
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		<-ended
	}
	patience, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for running("leavingHandler") > 0 {
		if patience.Err() != nil {
			t.Fatal("a goroutine is left")
		}
		runtime.Gosched()
	}
}

// leavingHandler meets a denial after its client has gone. Its name is looked
// for among the stacks.
func leavingHandler(rw http.ResponseWriter, r *http.Request, call backend, started chan<- struct{}) {
	started <- struct{}{}
	<-r.Context().Done()
	_ = call(context.WithoutCancel(r.Context()), tokenRead)
	_, _ = io.WriteString(rw, "nobody reads this")
}

// running counts the goroutines in whose stack a function stands.
func running(function string) int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	count := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, function+"(") {
			count++
		}
	}
	return count
}
