package drain_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/drain"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

const (
	limit  = 256 << 10
	wait   = 500 * time.Millisecond
	stream = 50 * time.Millisecond
	linger = 50 * time.Millisecond
	never  = -1
)

// stage is a response over HTTP/2 in synctest: deadlines end the body.
type stage struct {
	*httptest.ResponseRecorder

	body  *io.PipeReader
	timer *time.Timer
	dead  bool // the write deadline has passed
	reads int  // how many read deadlines were set
}

func (s *stage) SetReadDeadline(at time.Time) error {
	s.reads++
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.body != nil {
		s.timer = time.AfterFunc(time.Until(at), func() { _ = s.body.CloseWithError(io.ErrClosedPipe) })
	}
	return nil
}

func (s *stage) SetWriteDeadline(at time.Time) error {
	s.dead = at.Before(time.Now())
	return nil
}

// expiring is a body that a deadline ends as net/http does.
type expiring struct{ io.Reader }

func (e expiring) Read(data []byte) (int, error) {
	n, err := e.Reader.Read(data)
	if errors.Is(err, io.ErrClosedPipe) {
		return n, os.ErrDeadlineExceeded
	}
	return n, err
}

// request returns a request whose body holds size bytes and ends after some time.
func (s *stage) request(ctx context.Context, size int, ends time.Duration) *http.Request {
	reader, writer := io.Pipe()
	s.body = reader
	go func() {
		_, _ = writer.Write(bytes.Repeat([]byte("x"), size))
		if ends != never {
			time.Sleep(ends)
			_ = writer.Close()
		}
	}()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", expiring{reader})
	r.ProtoMajor = 2
	return r
}

// TestRead: a request is read to its end within the bounds, and where it does not
// end the response is complete for a while (RPC-9).
func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, contentType string
		declared          bool // there is a Content-Length
		size              int
		ends              time.Duration
		waits             time.Duration // before the response
		open              bool
		lingers           time.Duration // after it
	}{
		{"RPC-9: 2 bytes", "application/json", true, 2, 0, 0, false, 0},
		{"RPC-9: the bound", "application/json", true, limit, 0, 0, false, 0},
		{"RPC-9: over the bound", "application/json", true, limit + 1, 0, 0, true, 0},
		{"RPC-9: over the bound, ends a little later", "application/json", true, 2 << 20, 20 * time.Millisecond, 0, true, 20 * time.Millisecond},
		{"RPC-9: over the bound, does not end", "application/json", true, 2 << 20, never, 0, true, linger},
		{"RPC-9: ends in time", "application/json", true, 2, 300 * time.Millisecond, 300 * time.Millisecond, false, 0},
		{"RPC-9: does not end", "application/json", true, 2, never, wait, true, linger},
		{"RPC-9: does not end, no length", "application/json", false, 2, never, wait, true, linger},
		{"RPC-9: no content type", "", false, 2, never, wait, true, linger},
		{"RPC-9: gRPC, ends", "application/grpc", false, 60_000, 0, 0, false, 0},
		{"RPC-9: gRPC does not end", "application/grpc", false, 2, never, stream, false, 0},
		{"RPC-9: gRPC with a length does not end", "application/grpc+proto", true, 2, never, wait, false, 0},
		{"RPC-9: gRPC over the bound", "application/grpc", false, 2 << 20, 20 * time.Millisecond, 0, true, 20 * time.Millisecond},
		{"RPC-9: gRPC-Web does not end", "application/grpc-web+proto", false, 2, never, stream, true, linger},
		{"RPC-9: gRPC-Web with a length", "application/grpc-web", true, 2, 300 * time.Millisecond, 300 * time.Millisecond, false, 0},
		{"RPC-9: a stream of Connect does not end", "application/connect+json", false, 2, never, stream, true, linger},
		{"RPC-9: unary Connect without a length", "application/proto", false, 2, never, wait, true, linger},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &stage{ResponseRecorder: httptest.NewRecorder()}
				r := s.request(t.Context(), tt.size, tt.ends)
				r.Header.Set("Content-Type", tt.contentType)
				r.ContentLength = -1
				if tt.declared {
					r.ContentLength = int64(tt.size)
				}
				start := time.Now()
				rest := drain.Read(s, r, r.Body)
				if waited := time.Since(start); waited != tt.waits || rest.IsOpen() != tt.open {
					t.Errorf("waited %v, open %t; want %v, %t", waited, rest.IsOpen(), tt.waits, tt.open)
				}
				start = time.Now()
				rest.Linger()
				if lingered := time.Since(start); lingered != tt.lingers || s.Flushed != tt.open {
					t.Errorf("lingered %v, flushed %t; want %v", lingered, s.Flushed, tt.lingers)
				}
				_ = s.body.Close()
			})
		})
	}
}

// TestNothingToRead: other requests are left alone, and cost nothing.
func TestNothingToRead(t *testing.T) {
	t.Parallel()
	untouched := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
		r.ProtoMajor, r.ContentLength = 2, -1
		return r
	}
	for name, change := range map[string]func(r *http.Request){
		"HTTP/1.1": func(r *http.Request) { r.ProtoMajor = 1 },
		"HTTP/1.1, a length of zero, the last request": func(r *http.Request) { r.ProtoMajor, r.Close, r.ContentLength = 1, true, 0 },
		"no body":            func(r *http.Request) { r.Body = nil },
		"http.NoBody":        func(r *http.Request) { r.Body = http.NoBody },
		"a length of zero":   func(r *http.Request) { r.ContentLength = 0 },
		"HTTP/3":             func(r *http.Request) { r.ProtoMajor = 3 },
		"no deadlines, body": func(*http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := untouched()
			change(r)
			var w http.ResponseWriter = &stage{ResponseRecorder: httptest.NewRecorder()}
			if strings.HasPrefix(name, "no deadlines") {
				w = httptest.NewRecorder()
			}
			rest := drain.Read(w, r, r.Body)
			rest.Linger()
			if s, ok := w.(*stage); rest.IsOpen() || ok && (s.reads > 0 || s.Flushed || drain.IsNeeded(r, r.Body)) {
				t.Errorf("got %+v", w)
			}
			if r.Body != nil && r.Body != http.NoBody {
				if left, err := io.ReadAll(r.Body); string(left) != "body" || err != nil {
					t.Errorf("%q is left, %v", left, err)
				}
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.ProtoMajor = 2
	if got := testing.AllocsPerRun(100, func() { drain.Read(w, r, r.Body).Linger() }); got != 0 {
		t.Errorf("%.0f allocations without a body", got)
	}
}

// TestClosed: where the handler has closed the body, nothing waits.
func TestClosed(t *testing.T) {
	t.Parallel()
	s := &stage{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("x"), failing{}))
	r.ProtoMajor, r.ContentLength = 2, 1000
	rest := drain.Read(s, r, r.Body)
	rest.Linger()
	if rest.IsOpen() || s.Flushed {
		t.Error("it waits")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) {
	return 0, errors.New("http2: request body closed due to handler exiting")
}

// TestClientLeaves: nothing waits for a client that is gone, or that a flush does
// not reach.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{ResponseRecorder: httptest.NewRecorder()}
		ctx, leave := context.WithCancel(t.Context())
		r := s.request(ctx, 2, never)
		rest := drain.Read(s, r, r.Body)
		time.AfterFunc(10*time.Millisecond, leave)
		start := time.Now()
		rest.Linger()
		if lingered := time.Since(start); !rest.IsOpen() || lingered != 10*time.Millisecond {
			t.Errorf("lingered %v", lingered)
		}
		_ = s.body.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		s := &stage{ResponseRecorder: httptest.NewRecorder()}
		r := s.request(t.Context(), 2, never)
		unflushable := struct {
			http.ResponseWriter
			deadlines
		}{s, s}
		rest := drain.Read(unflushable, r, r.Body)
		start := time.Now()
		rest.Linger()
		if lingered := time.Since(start); !rest.IsOpen() || lingered != 0 {
			t.Errorf("lingered %v, though it cannot flush", lingered)
		}
		_ = s.body.Close()
	})
}

type deadlines interface {
	SetReadDeadline(at time.Time) error
	SetWriteDeadline(at time.Time) error
}

// TestBound: at most 1,000 requests wait at once. The stream of a further one is
// reset (RPC-9).
func TestBound(t *testing.T) { //nolint:paralleltest // The bound is that of the process.
	synctest.Test(t, func(t *testing.T) {
		var waiting sync.WaitGroup
		for range 999 {
			waiting.Go(func() {
				s := &stage{ResponseRecorder: httptest.NewRecorder()}
				r := s.request(t.Context(), 2, never)
				drain.Read(s, r, r.Body)
				_ = s.body.Close()
			})
		}
		synctest.Wait()
		read := func(size int) (*stage, drain.Rest) {
			s := &stage{ResponseRecorder: httptest.NewRecorder()}
			r := s.request(t.Context(), size, 0)
			return s, drain.Read(s, r, r.Body)
		}
		s, rest := read(limit * 2)
		if s.dead || !rest.IsOpen() {
			t.Error("the thousandth was not read")
		}
		waiting.Go(func() {
			s := &stage{ResponseRecorder: httptest.NewRecorder()}
			r := s.request(t.Context(), 2, never)
			drain.Read(s, r, r.Body)
			_ = s.body.Close()
		})
		synctest.Wait()
		start := time.Now()
		rest.Linger()
		if time.Since(start) != 0 || !s.Flushed {
			t.Error("a response lingers beyond the bound")
		}
		_ = s.body.Close()
		for range 1001 {
			s, rest = read(2)
			if !s.dead || s.reads > 0 || rest.IsOpen() {
				t.Errorf("RPC-9: beyond the bound, got %+v", s)
			}
			_ = s.body.Close()
		}
		waiting.Wait()
		if s, _ = read(2); s.dead || s.reads != 1 {
			t.Errorf("later: got %+v", s)
		}
		_ = s.body.Close()
	})
}

// TestLastRequest: a request over HTTP/1.1 with "Connection: close" is read too,
// because net/http does not do that (RPC-9).
func TestLastRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{ResponseRecorder: httptest.NewRecorder()}
		r := s.request(t.Context(), 60_000, 10*time.Millisecond)
		r.ProtoMajor, r.ContentLength, r.Close = 1, 60_000, true
		start := time.Now()
		rest := drain.Read(s, r, r.Body)
		if waited := time.Since(start); waited != 10*time.Millisecond || rest.IsOpen() {
			t.Errorf("RPC-9: waited %v, open %t", waited, rest.IsOpen())
		}
	})
}

// TestNothingIsLeft: what has waited counts no more, whatever it waited for.
func TestNothingIsLeft(t *testing.T) { //nolint:paralleltest // The bound is that of the process.
	synctest.Test(t, func(t *testing.T) {
		for i := range 1001 {
			s := &stage{ResponseRecorder: httptest.NewRecorder()}
			r := s.request(t.Context(), 2, never)
			rest := drain.Read(s, r, r.Body)
			if rest.Linger(); s.dead || !rest.IsOpen() {
				t.Fatalf("RPC-9: the stream of request %d was reset", i)
			}
		}
	})
}

// TestBody reads a body in two goroutines under the race detector: a handler may
// still read it when the denial does.
func TestBody(t *testing.T) {
	t.Parallel()
	body := &drain.Body{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 10_000)))}
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 4 {
		group.Go(func() {
			read, err := io.ReadAll(body)
			mu.Lock()
			defer mu.Unlock()
			total += len(read)
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if total != 10_000 {
		t.Errorf("read %d bytes", total)
	}
}

// TestKeep: a handler closes the body unless it is kept.
func TestKeep(t *testing.T) {
	t.Parallel()
	for _, kept := range []bool{false, true} {
		body := &drain.Body{ReadCloser: unclosable{}}
		if kept {
			body.Keep()
		}
		if err := body.Close(); (err == nil) != kept {
			t.Errorf("kept %t: got %v", kept, err)
		}
	}
}

type unclosable struct{ io.Reader }

func (unclosable) Close() error { return io.ErrClosedPipe }

// TestOverHTTP2: the deadlines of net/http do what is expected of them, and the Go
// client never hangs (RPC-9).
func TestOverHTTP2(t *testing.T) {
	t.Parallel()
	opened := make(chan bool, 1)
	server := rpctest.ServeHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := drain.Read(w, r, r.Body)
		opened <- rest.IsOpen()
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "{}")
		rest.Linger()
	}))
	client := rpctest.H2C(t)
	silent, _ := io.Pipe()
	for _, tt := range []struct {
		name string
		body io.Reader
		open bool
	}{
		{"RPC-9: 2 bytes", strings.NewReader("{}"), false},
		{"RPC-9: 60 kB", bytes.NewReader(make([]byte, 60_000)), false},
		{"RPC-9: 250 kB", bytes.NewReader(make([]byte, 250_000)), false},
		{"RPC-9: 2 MB", bytes.NewReader(make([]byte, 2_000_000)), true},
		{"RPC-9: a body that never ends", endless{}, true},
		{"RPC-9: a body that never begins", silent, true},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if open := <-opened; res.StatusCode != http.StatusUnauthorized || string(body) != "{}" || err != nil || open != tt.open {
			t.Errorf("%s: got %d %q, %v; open %t", tt.name, res.StatusCode, body, err, open)
		}
	}
}

type endless struct{}

func (endless) Read(data []byte) (int, error) { return len(data), nil }
