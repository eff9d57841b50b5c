package httpbridge

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
)

// Metadata returns the handler of the metadata documents of all resources
// (RFC 9728 §3), to be mounted at "/.well-known/". [Bridge.Handler] and
// [Bridge.Protect] serve them too, for the paths below them. Any origin may read
// them. It serves the well-known path inserted before the path of the resource,
// and the older form that is appended to it.
func (b *Bridge) Metadata() http.Handler { return b.public }

func (b *Bridge) metadata(w http.ResponseWriter, r *http.Request) {
	if exchange.RefuseLongPath(w, r) {
		return
	}
	document, ok := b.documentOf(r)
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	default:
		writeJSON(w, http.StatusOK, document)
	}
}

// serveMetadata serves the request if it is for a metadata document of ours.
func (b *Bridge) serveMetadata(w http.ResponseWriter, r *http.Request) bool {
	if _, ok := b.documentOf(r); !ok {
		return false
	}
	b.public.ServeHTTP(w, r)
	return true
}

// documentOf returns the document that the URL of a request names.
func (b *Bridge) documentOf(r *http.Request) (drawbridge.ResourceMetadata, bool) {
	if !strings.Contains(r.URL.Path, resource.WellKnown) {
		return drawbridge.ResourceMetadata{}, false
	}
	return b.authorizer.Metadata(r.Context(), drawbridge.HTTPRequest(r))
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // A failure means that the client is gone.
}
