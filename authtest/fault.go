package authtest

import (
	"net/http"
	"sync"
)

// Down makes the issuer unreachable until [Issuer.Up]: it closes connections
// without a response. Its address stays the same, and requests still count.
func (i *Issuer) Down() { i.down.Store(true) }

// Up undoes [Issuer.Down], [Issuer.HandleDiscovery], [Issuer.HandleKeySet] and
// [Issuer.HandleToken].
func (i *Issuer) Up() {
	i.down.Store(false)
	i.HandleDiscovery(nil)
	i.HandleKeySet(nil)
	i.HandleToken(nil)
}

// HandleDiscovery makes h serve the discovery document; nil restores the
// default. h may serve an altered [Issuer.Discovery].
func (i *Issuer) HandleDiscovery(h http.Handler) { i.discovery.replace(h) }

// HandleKeySet makes h serve the key set; nil restores the default. h may serve
// an altered [Issuer.KeySet].
func (i *Issuer) HandleKeySet(h http.Handler) { i.keySet.replace(h) }

// HoldKeySet delays the response to every request for the key set until release
// is called, the client gives up, or the Issuer is closed. Each delayed request
// sends a value on arrived when it starts to wait. release may be called more
// than once.
func (i *Issuer) HoldKeySet() (arrived <-chan struct{}, release func()) {
	waiting := make(chan struct{})
	released := make(chan struct{})
	i.HandleKeySet(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signal := waiting
		for {
			select {
			case signal <- struct{}{}:
				signal = nil // announced; now wait
			case <-released:
				writeJSON(w, i.KeySet())
				return
			case <-r.Context().Done():
				return
			}
		}
	}))
	release = sync.OnceFunc(func() {
		i.HandleKeySet(nil)
		close(released)
	})
	return waiting, release
}

// Answer returns a handler that sends the same response to every request, for
// [Issuer.HandleDiscovery], [Issuer.HandleKeySet] and [Issuer.HandleToken].
func Answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // fails only if the client has gone away
	})
}

func (e *endpoint) replace(h http.Handler) {
	if h == nil {
		e.replacement.Store(nil)
		return
	}
	e.replacement.Store(&h)
}
