// Package drain lets the response to a request reach its client although the request
// has not been read: over HTTP/2, and over HTTP/1 where the connection ends with it.
//
// A server that ends its response while the request still arrives resets the stream
// (RFC 9113 §8.1). Some clients and proxies drop a response that comes with a reset:
// curl, and nginx in front of gRPC. So the request is read to its end first, within
// bounds, and if it does not end, the response is complete for a while before the
// stream ends. Over HTTP/1, net/http does the same by itself, but not where the
// request says "Connection: close", as nginx does by default: it closes a connection
// on which data arrives, and the proxy reads a reset in place of the response.
package drain

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// The bounds. The first two are those of net/http over HTTP/1.1.
const (
	maxBytes = 256 << 10
	// maxWait is how long a request may take to end.
	maxWait = 500 * time.Millisecond
	// maxStreamWait is maxWait for a stream, whose client may wait for a response
	// before it goes on.
	maxStreamWait = 50 * time.Millisecond
	// maxLinger is how long a response is complete before the stream ends.
	maxLinger = 50 * time.Millisecond
	// maxWaiting bounds how many requests are read or linger at once.
	maxWaiting = 1000
)

// waiting counts the requests that are being read or linger.
var waiting atomic.Int64

// begin reports whether a further request may wait. Its caller calls end then.
func begin() bool {
	if waiting.Add(1) > maxWaiting {
		waiting.Add(-1)
		return false
	}
	return true
}

func end() { waiting.Add(-1) }

// IsNeeded reports whether a request has a body, and the server would end its stream
// or its connection without reading that.
func IsNeeded(r *http.Request, body io.Reader) bool {
	return (r.ProtoMajor == 2 || r.Close) && r.ContentLength != 0 && body != nil && body != http.NoBody
}

// Rest is what is left of a request. The zero Rest is a request that has ended.
type Rest struct {
	body    io.Reader // nil if it has ended
	control *http.ResponseController
	ctx     context.Context //nolint:containedctx // The request's own. Rest does not outlive the request.
	expired bool            // the body cannot be read any more
}

// Read reads the rest of a request, from body, before the first byte of its
// response is written to w. It does nothing unless [IsNeeded] reports true and w
// supports deadlines. The caller writes the response then, and calls
// [Rest.Linger].
//
// If too many requests wait, the stream is reset, and what is written is lost.
func Read(w http.ResponseWriter, r *http.Request, body io.Reader) Rest {
	if !IsNeeded(r, body) {
		return Rest{}
	}
	control := http.NewResponseController(w)
	if !begin() {
		_ = control.SetWriteDeadline(time.Unix(1, 0)) // It resets the stream.
		return Rest{}
	}
	defer end()
	protocol := rpc.ProtocolOf(r.Header.Get("Content-Type"))
	wait := maxWait
	if protocol.MayStream() && r.ContentLength < 0 {
		wait = maxStreamWait
	}
	if control.SetReadDeadline(time.Now().Add(wait)) != nil {
		return Rest{}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(body, maxBytes+1))
	expired := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case expired && protocol == rpc.GRPC:
		// The client gets the status when the stream ends, and not before.
		return Rest{}
	case expired, err == nil && n > maxBytes:
		return Rest{body: body, control: control, ctx: r.Context(), expired: expired}
	default: // It has ended, or the handler has closed it.
		return Rest{}
	}
}

// IsOpen reports whether the request has not ended. Its response should have a
// Content-Length, so that the client knows that it is complete.
func (r Rest) IsOpen() bool { return r.body != nil }

// Linger is called when the whole response was written. If the request has not
// ended, it sends the response, and returns when the request has, or after some
// time.
func (r Rest) Linger() {
	if !r.IsOpen() || r.control.Flush() != nil || !begin() {
		return
	}
	defer end()
	if !r.expired && r.control.SetReadDeadline(time.Now().Add(maxLinger)) == nil {
		_, _ = io.Copy(io.Discard, r.body) // It fails when the time is over.
		return
	}
	timer := time.NewTimer(maxLinger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// Body is the body of a request that may be read by [Read] while a handler reads
// it.
type Body struct {
	io.ReadCloser

	mu   sync.Mutex
	kept atomic.Bool
}

// Keep makes Close do nothing from now on: the handler closes the body when it has
// written a response that [Rest.Linger] has to follow. The server closes it in any
// case.
func (b *Body) Keep() { b.kept.Store(true) }

// Close implements io.Closer.
func (b *Body) Close() error {
	if b.kept.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// Read implements io.Reader.
func (b *Body) Read(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ReadCloser.Read(data)
}
