package httpbridge

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// responseWriter looks for a recorded denial when the header is about to be
// written, and answers with it in place of the handler.
//
// MCP servers write from other goroutines than the handler's, hence the lock.
type responseWriter struct {
	http.ResponseWriter

	bridge   *Bridge
	request  *http.Request
	recorder *recorder.Recorder

	mu       sync.Mutex
	decided  bool // whose answer it is
	replaced bool // it is ours, and what the handler writes goes nowhere
	settled  bool // nothing is kept back any longer

	early      []byte // what the handler wrote first, while it is kept back
	earlyFlush bool
}

func newResponseWriter(b *Bridge, w http.ResponseWriter) *responseWriter {
	translating := &responseWriter{ResponseWriter: w, bridge: b}
	translating.recorder = recorder.New(translating.release)
	return translating
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// An informational status precedes the header.
	if final := status < 100 || status > 199 || status == http.StatusSwitchingProtocols; final {
		w.letGo()
		if w.decide() {
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.settled && !w.decided && w.early == nil && w.recorder.Holds(data) {
		w.early = bytes.Clone(data)
		return len(data), nil
	}
	w.letGo()
	if w.decide() {
		return len(data), nil
	}
	return w.ResponseWriter.Write(data)
}

// Flush implements http.Flusher, which connect-go, grpc-go and servers of SSE
// ask for by name.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.early != nil {
		w.earlyFlush = true
		return nil
	}
	w.decide()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for the connections that can be. From then
// on the answer is the handler's.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.decided = true
	}
	return conn, buffered, err
}

// finish is called when the handler has returned, perhaps without writing, or
// has panicked: then nothing more is written.
func (w *responseWriter) finish(returned bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !returned {
		w.early, w.settled = nil, true
		return
	}
	w.letGo()
	if w.recorder.Denial() != nil {
		w.decide()
	}
}

// release is called when nothing needs to be kept back any longer, from
// whichever goroutine found that out. After finish there is nothing left.
func (w *responseWriter) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.letGo()
}

// letGo writes what was kept back, unless the answer is ours.
func (w *responseWriter) letGo() {
	w.settled = true
	if w.early == nil {
		return
	}
	data := w.early
	w.early = nil
	if !w.decide() {
		_, _ = w.ResponseWriter.Write(data) // The client is gone; nobody is left to tell.
	}
	if w.earlyFlush {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}

// decide settles once, with the first byte that is written, whose answer it is.
// It reports whether it is ours.
func (w *responseWriter) decide() bool {
	if w.decided {
		return w.replaced
	}
	w.decided = true
	// An RPC handler answers in its own protocol, if the call is this request and
	// not one that a handler made within the process.
	if procedure, native := w.recorder.Answering(); procedure != "" && strings.HasSuffix(w.request.URL.Path, procedure) {
		if native != nil && native.Kind.Challenges() && len(w.Header()[wwwAuthenticate]) == 0 {
			setChallenge(w.Header(), w.request, []string{native.Challenge.Header()})
		}
		return false
	}
	denial := w.recorder.Denial()
	if denial == nil || isRPC(w.request, w.Header()) {
		return false
	}
	w.replaced = true
	w.bridge.answerAt(w.request, denial).replace(w.ResponseWriter, w.request)
	return true
}

// isRPC reports whether the answer is in an RPC protocol. Its clients read the
// status of the RPC, and would take any other HTTP status for "unknown".
func isRPC(r *http.Request, answer http.Header) bool {
	return isRPCContent(answer.Get("Content-Type")) ||
		isRPCContent(r.Header.Get("Content-Type")) ||
		r.Header.Get("Connect-Protocol-Version") != "" ||
		r.Method == http.MethodGet && r.URL.Query().Get("connect") == "v1"
}

// isRPCContent knows gRPC, gRPC-Web and Connect, except for unary Connect with
// JSON, which is like any other JSON.
func isRPCContent(contentType string) bool {
	base, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	base = strings.TrimSpace(base)
	return base == "application/proto" ||
		strings.HasPrefix(base, "application/grpc") ||
		strings.HasPrefix(base, "application/connect+")
}
