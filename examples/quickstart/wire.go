package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxShown is the number of bytes that are kept of a body.
const maxShown = 64 << 10

// exchange is an HTTP request and its response, as they went over the wire.
type exchange struct {
	method     string
	url        *url.URL
	authorized bool // whether a token was sent
	protocol   string
	status     int
	header     http.Header
	body       []byte // of JSON responses alone
}

// request returns the method and the path of the request.
func (e *exchange) request() string { return e.method + " " + e.url.Path }

// answer returns the status line.
func (e *exchange) answer() string {
	return fmt.Sprintf("%s %d %s", e.protocol, e.status, http.StatusText(e.status))
}

// tap is an HTTP transport that records its exchanges.
type tap struct {
	next http.RoundTripper

	mu   sync.Mutex
	seen []*exchange
}

// newTap returns a tap on a connection of its own: HTTP/1.1, or HTTP/2 without
// TLS.
func newTap(http2 bool) *tap {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &tap{next: &http.Transport{Protocols: &protocols}}
}

// RoundTrip sends a request and records the exchange.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	e := &exchange{
		method:     req.Method,
		url:        req.URL,
		authorized: req.Header.Get("Authorization") != "",
		protocol:   resp.Proto,
		status:     resp.StatusCode,
		header:     resp.Header.Clone(),
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		e.body, err = io.ReadAll(io.LimitReader(resp.Body, maxShown))
		if err != nil {
			return nil, err
		}
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(e.body), resp.Body), resp.Body}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, e)
	return resp, nil
}

// take returns the exchanges since the last call.
func (t *tap) take() []*exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.seen
	t.seen = nil
	return seen
}

// last returns the latest exchange and forgets the others.
func (t *tap) last() *exchange {
	seen := t.take()
	if len(seen) == 0 {
		return &exchange{url: new(url.URL), header: http.Header{}}
	}
	return seen[len(seen)-1]
}

// bearer sends an access token with every request.
type bearer struct {
	next  http.RoundTripper
	token string
}

// RoundTrip adds the Authorization field, unless there is no token.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	return b.next.RoundTrip(req)
}

// close closes idle connections.
func (t *tap) close() {
	if transport, ok := t.next.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
}
