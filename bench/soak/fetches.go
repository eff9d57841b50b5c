package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	refreshInterval = 3 * time.Second
	cacheSize       = 400
	// coolDown is how long after a fetch a token of an unknown key may be one that
	// cannot be judged: the second for which a verifier starts no other fetch, and
	// the time that a busy machine may take to end one.
	coolDown = 5 * time.Second
)

// A keySet is what a verifier has received in one fetch.
type keySet struct {
	ids   map[string]bool
	begun time.Time // a time after the fetch had begun
}

// fetches watches the key sets that one verifier fetches, on the connection
// between it and the issuer. A verifier makes one fetch at a time, so that once it
// asks for the metadata again, the set that it received before is in force. Until
// then it may be.
type fetches struct {
	transport *http.Transport

	confirmed atomic.Int64 // the index of the set that is in force at least

	mu    sync.Mutex
	sets  []keySet // the first is that of a verifier without keys
	begun time.Time
	ended time.Time // when the last request ended
}

// newVerifier returns a verifier of the issuer that has no keys yet, and its
// fetches. Where refused reports true, its connections are refused.
func newVerifier(issuer string, refused *atomic.Bool, logger *slog.Logger) (token.Verifier, *fetches, error) {
	f := &fetches{sets: make([]keySet, 1)}
	dialer := new(net.Dialer)
	f.transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if refused.Load() {
				address = "127.0.0.1:1" // where nothing listens
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	jwt, err := verifier.New(verifier.Config{CacheSize: cacheSize, Logger: logger, JWT: []verifier.JWTConfig{{Issuer: issuer, HTTPClient: &http.Client{Transport: f}, Leeway: time.Nanosecond, RefreshInterval: refreshInterval}}})
	return jwt, f, err
}

// RoundTrip implements http.RoundTripper.
func (f *fetches) RoundTrip(req *http.Request) (*http.Response, error) {
	defer f.end()
	if !strings.HasSuffix(req.URL.Path, "/keys") {
		f.begin()
		return f.transport.RoundTrip(req)
	}
	res, err := f.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	if err := req.Context().Err(); err != nil {
		return nil, err // the verifier has given up
	}
	f.receive(res.StatusCode, body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

func (f *fetches) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = time.Now()
	f.confirmed.Store(int64(len(f.sets) - 1))
}

func (f *fetches) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = time.Now()
}

// receive notes the keys in an answer. Without any, the verifier keeps those that
// it has.
func (f *fetches) receive(status int, body []byte) {
	var document struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(body, &document); err != nil || status != http.StatusOK || len(document.Keys) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	set := keySet{ids: make(map[string]bool), begun: f.begun}
	for _, key := range document.Keys {
		set.ids[key.ID] = true
	}
	f.sets = append(f.sets, set)
}

// states are what a verifier may make of a token.
type states struct{ valid, invalid, unavailable bool }

// judge returns what the verifier may make of the signature of a token with a key
// during a call, before which the set with the index known was in force.
func (f *fetches) judge(c *credential, known int64, w *window) (s states) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, set := range f.sets[known:] {
		switch {
		case set.ids[c.keyID] && c.forged:
			s.invalid = true
		case set.ids[c.keyID]:
			s.valid = true
		default:
			// The key may be newer than the set, unless the fetch began after the
			// token had arrived.
			s.unavailable = s.unavailable || f.ended.After(w.start.Add(-coolDown))
			s.invalid = s.invalid || set.begun.After(w.start)
		}
	}
	return s
}
