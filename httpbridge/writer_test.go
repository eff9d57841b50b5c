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

// TestResponseController: the methods of http.ResponseController work through the
// bridge.
func TestResponseController(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
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

// TestFlushReachesTheClient: flushed data arrives while the handler still runs.
func TestFlushReachesTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
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

// TestHijack: a handler can take over a connection that supports it.
func TestHijack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
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

// TestHijacked: after Hijack the response is the handler's whatever denial it
// meets, and net/http logs nothing.
func TestHijacked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	call := newBackend(t, w)
	var logged bytes.Buffer
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
	server.Config.ErrorLog = log.New(&logged, "", 0)
	server.Start()
	defer server.Close()
	if got := raw(t, server.Listener.Addr().String(), "GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n"); got != "taken over" {
		t.Errorf("got %q", got)
	}
	<-done
	if logged.Len() > 0 {
		t.Errorf("net/http logged: %s", &logged)
	}
}

// TestFlushNothing: Flush of a ResponseWriter that cannot flush does nothing.
func TestFlushNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
	rw := &reusedWriter{header: make(http.Header)}
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

// TestClientLeaves: when a client goes away, the handler ends and leaves no
// goroutine behind.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpbridge.Config{})
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
		if rpctest.Running("leavingHandler") != 1 {
			t.Errorf("%s: the goroutine of the handler is not found", name)
		}
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		<-ended
	}
	patience, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for rpctest.Running("leavingHandler") > 0 {
		if patience.Err() != nil {
			t.Fatal("a goroutine is left")
		}
		runtime.Gosched()
	}
}

// leavingHandler meets a denial after its client has gone. The test searches the
// stacks for its name.
func leavingHandler(rw http.ResponseWriter, r *http.Request, call backend, started chan<- struct{}) {
	started <- struct{}{}
	<-r.Context().Done()
	_ = call(context.WithoutCancel(r.Context()), tokenRead)
	_, _ = io.WriteString(rw, "the client is gone")
}
