package authtest

import (
	"net/http"
	"sync"
)

// Down makes the issuer unreachable: connections are closed without an answer.
// The address stays the same, and [Issuer.Up] ends it. Requests still count.
func (i *Issuer) Down() { i.down.Store(true) }

// Up undoes [Issuer.Down], [Issuer.HandleDiscovery] and [Issuer.HandleKeySet].
func (i *Issuer) Up() {
	i.down.Store(false)
	i.HandleDiscovery(nil)
	i.HandleKeySet(nil)
}

// HandleDiscovery makes h answer for the discovery document; nil restores the
// document. See [Issuer.Discovery] for what h may want to alter.
func (i *Issuer) HandleDiscovery(h http.Handler) { i.discovery.replace(h) }

// HandleKeySet makes h answer for the key set; nil restores the key set. See
// [Issuer.KeySet] for what h may want to alter.
func (i *Issuer) HandleKeySet(h http.Handler) { i.keySet.replace(h) }

// HoldKeySet holds back the answer to every request for the key set until
// release is called, the client gives up, or the Issuer ends. Each request that
// is held sends a value on arrived as soon as it waits. Releasing twice is
// allowed.
func (i *Issuer) HoldKeySet() (arrived <-chan struct{}, release func()) {
	waiting := make(chan struct{})
	released := make(chan struct{})
	i.HandleKeySet(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signal := waiting
		for {
			select {
			case signal <- struct{}{}:
				signal = nil // announced; what is left is to wait
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

// Answer returns a handler that gives the same answer to every request, for
// [Issuer.HandleDiscovery] and [Issuer.HandleKeySet].
func Answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // a client that went away is not our concern
	})
}

func (e *endpoint) replace(h http.Handler) {
	if h == nil {
		e.replacement.Store(nil)
		return
	}
	e.replacement.Store(&h)
}
