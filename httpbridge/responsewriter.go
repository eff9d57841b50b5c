package httpbridge

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/drain"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// phase is what becomes of a response. It is undecided at first, perhaps held for
// a while, and then passing or replaced until the end.
type phase uint8

const (
	undecided phase = iota // nothing was written
	held                   // the first write is kept back
	passing                // the response is the handler's
	replaced               // the response is a denial, and what the handler writes is dropped
)

var errReplaced = errors.New("httpbridge: the response is a denial")

// responseWriter responds with a recorded denial in place of the handler, if
// there is one when the header is about to be written.
//
// MCP servers write from other goroutines than the handler's, hence the lock.
type responseWriter struct {
	http.ResponseWriter

	bridge    *Bridge
	request   *http.Request
	extension atomic.Pointer[extension]
	body      drain.Body // of the request, if a denial has to read it

	native bool // the guard has let an RPC in
	phase  phase
	mu     sync.Mutex // guards phase
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hold implements exchange.Output.
func (w *responseWriter) Hold(holds func(first []byte) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == undecided {
		w.extend().holds = holds
	}
}

// Release implements exchange.Output. It may be called by any goroutine; after
// the handler has returned it does nothing.
func (w *responseWriter) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.extension.Load(); e != nil {
		e.holds = nil
	}
	if w.phase == held {
		w.settle()
	}
}

// WriteHeader implements http.ResponseWriter. An informational status precedes
// the header and decides nothing.
func (w *responseWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if informational := status <= 199 && status != http.StatusSwitchingProtocols; !informational {
		w.settle()
	}
	if w.phase != replaced {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *responseWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold(data) || w.settle() == replaced {
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
	if w.phase == held {
		w.extension.Load().flushed = true
		return nil
	}
	w.settle()
	return w.flush()
}

func (w *responseWriter) flush() error {
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for connections that support it. The response
// is then the handler's, unless it is already a denial.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == held {
		w.settle()
	}
	if w.phase == replaced {
		return nil, nil, errReplaced
	}
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.phase = passing
	}
	return conn, buffered, err
}

// finish is called when the handler has returned, perhaps without writing, or
// has panicked: then nothing more is written.
func (w *responseWriter) finish(returned bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if returned {
		w.settle()
		if e := w.extension.Load(); e != nil {
			e.rest.Linger()
		}
	} else if w.phase != replaced {
		w.phase = passing
	}
}

// hold keeps back the first write, if it is one to hold.
func (w *responseWriter) hold(data []byte) bool {
	e := w.extension.Load()
	if w.phase != undecided || e == nil || e.holds == nil || !e.holds(data) {
		return false
	}
	w.phase, e.data = held, bytes.Clone(data)
	return true
}

// settle decides, once, between the handler's response and a denial. It writes
// the denial, or what was held.
func (w *responseWriter) settle() phase {
	before := w.phase
	if before == passing || before == replaced {
		return before
	}
	if denial := w.choose(); denial != nil {
		w.phase = replaced
		replaceWith(w.ResponseWriter, w.request, w.unread(), w.bridge.localize(w.request, denial))
	} else {
		w.phase = passing
	}
	if before == held {
		w.letGo()
	}
	return w.phase
}

// letGo writes what was held, unless the response is a denial.
func (w *responseWriter) letGo() {
	e := w.extension.Load()
	if w.phase == passing {
		_, _ = w.ResponseWriter.Write(e.data) // A failure means that the client is gone.
	}
	e.data = nil
	if e.flushed {
		_ = w.flush()
	}
}

// choose returns the denial that becomes the response, or nil if the handler's
// response passes. The header fields of the request do not matter, because the
// caller chooses them, and what the caller says of its request matters only for a
// response that an RPC handler may have written.
func (w *responseWriter) choose() *challenge.DenialError {
	e := w.extension.Load()
	if e == nil {
		return nil
	}
	contentType := w.Header().Get("Content-Type")
	mayBeRPC := contentType == "" || len(contentType) > len(application) && strings.EqualFold(contentType[:len(application)], application)
	// An RPC handler answers in its own protocol, if its call is this request and
	// not one that a handler made within the process.
	if procedure, denial := e.native.Claimed(); mayBeRPC && procedure != "" && strings.HasSuffix(w.request.URL.Path, procedure) {
		if denial != nil {
			w.addChallenge(denial)
			if e.rest = drain.Read(w.ResponseWriter, w.request, w.unread()); e.rest.IsOpen() {
				w.body.Keep()
			}
		}
		return nil
	}
	denial := e.denials.Denial()
	if denial != nil && (mayBeRPC && w.native || rpc.ProtocolOf(contentType).IsNative()) {
		// Its client reads the status of the RPC, and would take any other HTTP
		// status for "unknown".
		return nil
	}
	return denial
}

// application begins the content types of every RPC protocol and codec.
const application = "application/"

// unread returns the body of the request, or nil if a denial does not have to read
// it.
func (w *responseWriter) unread() io.Reader {
	if w.body.ReadCloser == nil {
		return nil
	}
	return &w.body
}

// addChallenge adds the challenge of a denial to a response in an RPC protocol.
func (w *responseWriter) addChallenge(denial *challenge.DenialError) {
	header := w.Header()
	if len(header[wwwAuthenticate]) == 0 {
		denial.SetHeader(header)
	}
	if denial.Reason.Challenges() {
		expose(header, w.request)
	}
}
