package httpbridge

import (
	"bufio"
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

	// What the handler wrote while the answer was held back.
	early       []byte
	earlyStatus int
	earlyFlush  bool
}

// maxEarly bounds what is kept of an answer that is held back. The event with
// which an MCP server begins is a tenth of it.
const maxEarly = 1 << 10

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
	final := status < 100 || status > 199 || status == http.StatusSwitchingProtocols
	switch {
	case !final:
		w.ResponseWriter.WriteHeader(status)
	case w.holding():
		w.earlyStatus = status
	case !w.decide():
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *responseWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holding() {
		if len(w.early)+len(data) <= maxEarly {
			w.early = append(w.early, data...)
			return len(data), nil
		}
		w.letGo()
	}
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
	if w.holding() {
		w.earlyFlush = true
		return nil
	}
	w.decide()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for the connections that can be.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// finish is called when the handler has returned, perhaps without writing.
func (w *responseWriter) finish() {
	w.recorder.Release()
	w.mu.Lock()
	defer w.mu.Unlock()
	if denial, _ := w.recorder.Denial(); denial != nil {
		w.decide()
	}
}

// holding reports whether it is too early to say whose answer it is.
func (w *responseWriter) holding() bool { return !w.decided && w.recorder.Held() }

// release is called when the answer is no longer held back.
func (w *responseWriter) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.letGo()
}

// letGo writes what was held back, unless the answer is ours.
func (w *responseWriter) letGo() {
	if w.earlyStatus == 0 && w.early == nil && !w.earlyFlush {
		return
	}
	if !w.decide() {
		if w.earlyStatus != 0 {
			w.ResponseWriter.WriteHeader(w.earlyStatus)
		}
		_, _ = w.ResponseWriter.Write(w.early) // The client is gone; nobody is left to tell.
	}
	if w.earlyFlush {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
	w.early, w.earlyStatus, w.earlyFlush = nil, 0, false
}

// decide settles once, with the first byte that is written, whose answer it is.
// It reports whether it is ours.
func (w *responseWriter) decide() bool {
	if w.decided {
		return w.replaced
	}
	w.decided = true
	denial, native := w.recorder.Denial()
	if denial == nil {
		return false
	}
	header := w.Header()
	if native || isRPC(w.request, header) {
		if native && denial.Kind.Challenges() && len(header[wwwAuthenticate]) == 0 {
			setChallenge(header, w.request, []string{denial.Challenge.Header()})
		}
		return false
	}
	w.replaced = true
	for _, name := range describing {
		header.Del(name)
	}
	w.bridge.answerAt(w.request, denial).write(w.ResponseWriter, w.request)
	return true
}

// describing are the fields that describe a content which is not sent.
var describing = [...]string{
	"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location",
	"Content-Range", "Etag", "Expires", "Last-Modified", "Location", "Trailer", wwwAuthenticate,
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
