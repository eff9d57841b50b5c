package authtest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// The paths that an Issuer serves besides its discovery document.
const (
	keySetPath        = "/keys"
	tokenPath         = "/token"
	introspectionPath = "/introspect"
)

// An endpoint counts its requests. Its handler can be replaced.
type endpoint struct {
	serve       http.HandlerFunc // the default handler
	requests    atomic.Int64
	replacement atomic.Pointer[http.Handler]
}

// handler returns the handler of all endpoints.
func (i *Issuer) handler() http.Handler {
	i.keySet.serve = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.KeySet()) }
	i.tokens.serve = i.serveToken
	i.introspection.serve = i.serveIntrospection
	i.tokenInfo.serve = i.serveTokenInfo
	i.discovery.serve = func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.Discovery()) }
	mux := http.NewServeMux()
	mux.Handle(keySetPath, i.counted(&i.keySet))
	mux.Handle(tokenPath, i.counted(&i.tokens))
	mux.Handle(introspectionPath, i.counted(&i.introspection))
	mux.Handle(TokenInfoPath, i.counted(&i.tokenInfo))
	mux.Handle("/", i.counted(&i.discovery))
	return mux
}

// counted returns a handler that counts the requests of an endpoint. It fails if
// the issuer is down, and gives way to the replacement of the endpoint if there is
// one.
func (i *Issuer) counted(e *endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		if i.down.Load() {
			// The server closes the connection without a response and does not
			// log the panic.
			panic(http.ErrAbortHandler)
		}
		if e == &i.discovery && !i.hasDiscovery(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		if replacement := e.replacement.Load(); replacement != nil {
			(*replacement).ServeHTTP(w, r)
			return
		}
		e.serve(w, r)
	})
}

func (i *Issuer) hasDiscovery(path string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Contains(i.places, path)
}

func (e *endpoint) replace(h http.Handler) {
	if h == nil {
		e.replacement.Store(nil)
		return
	}
	e.replacement.Store(&h)
}

// hold delays the responses of the endpoint, see [Issuer.HoldKeySet].
func (e *endpoint) hold() (arrived <-chan struct{}, release func()) {
	waiting := make(chan struct{})
	released := make(chan struct{})
	e.replace(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The server notices that the client gives up only after the body has
		// been read.
		body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		signal := waiting
		for {
			select {
			case signal <- struct{}{}:
				signal = nil // announced; now wait
			case <-released:
				e.serve(w, r)
				return
			case <-r.Context().Done():
				return
			}
		}
	}))
	release = sync.OnceFunc(func() {
		e.replace(nil)
		close(released)
	})
	return waiting, release
}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // fails only if the client has gone away
}
