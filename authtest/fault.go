package authtest

import "net/http"

// Down makes the issuer unreachable until [Issuer.Up]: it closes connections
// without a response. Its address stays the same, and requests still count.
func (i *Issuer) Down() { i.down.Store(true) }

// Up undoes [Issuer.Down], [Issuer.HandleDiscovery], [Issuer.HandleKeySet],
// [Issuer.HandleToken], [Issuer.HandleIntrospection] and [Issuer.HandleTokenInfo].
func (i *Issuer) Up() {
	i.down.Store(false)
	i.HandleDiscovery(nil)
	i.HandleKeySet(nil)
	i.HandleToken(nil)
	i.HandleIntrospection(nil)
	i.HandleTokenInfo(nil)
}

// HandleDiscovery makes h serve the discovery document; nil restores the
// default. h may serve an altered [Issuer.Discovery].
func (i *Issuer) HandleDiscovery(h http.Handler) { i.discovery.replace(h) }

// HandleKeySet makes h serve the key set; nil restores the default. h may serve
// an altered [Issuer.KeySet].
func (i *Issuer) HandleKeySet(h http.Handler) { i.keySet.replace(h) }

// HandleToken makes h serve the token endpoint; nil restores the default.
func (i *Issuer) HandleToken(h http.Handler) { i.tokens.replace(h) }

// HandleIntrospection makes h serve the introspection endpoint; nil restores the
// default. h may serve an altered [Issuer.Introspection].
func (i *Issuer) HandleIntrospection(h http.Handler) { i.introspection.replace(h) }

// HandleTokenInfo makes h serve the endpoint at [TokenInfoPath]; nil restores the
// default.
func (i *Issuer) HandleTokenInfo(h http.Handler) { i.tokenInfo.replace(h) }

// HoldKeySet delays the response to every request for the key set until release
// is called, the client gives up, or the Issuer is closed. Each delayed request
// sends a value on arrived when it starts to wait. release may be called more
// than once.
func (i *Issuer) HoldKeySet() (arrived <-chan struct{}, release func()) { return i.keySet.hold() }

// HoldIntrospection delays the responses of the introspection endpoint as
// [Issuer.HoldKeySet] delays those for the key set. A request is answered with the
// state of its token at the time of the release.
func (i *Issuer) HoldIntrospection() (arrived <-chan struct{}, release func()) {
	return i.introspection.hold()
}

// Answer returns a handler that sends the same response to every request, for
// [Issuer.HandleDiscovery], [Issuer.HandleKeySet], [Issuer.HandleToken],
// [Issuer.HandleIntrospection] and [Issuer.HandleTokenInfo].
func Answer(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // fails only if the client has gone away
	})
}
