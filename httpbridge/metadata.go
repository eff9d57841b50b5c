package httpbridge

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// wellKnown is where metadata documents are found (RFC 9728 §3).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata returns the handler of the metadata documents of all resources
// (RFC 9728 §3), to be mounted at "/.well-known/". [Bridge.Handler] and
// [Bridge.Protect] serve them too, for what is below them. Any origin may read
// them. Besides the well-known path that is inserted before the path of the
// resource, the older form that is appended to it is served.
func (b *Bridge) Metadata() http.Handler { return b.public }

func (b *Bridge) metadata(w http.ResponseWriter, r *http.Request) {
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
	if !strings.Contains(r.URL.Path, wellKnown) {
		return false
	}
	if _, ok := b.documentOf(r); !ok {
		return false
	}
	b.public.ServeHTTP(w, r)
	return true
}

// documentOf returns the document that the URL of a request names.
func (b *Bridge) documentOf(r *http.Request) (interceptor.ResourceMetadata, bool) {
	path := r.URL.Path
	resource, inserted := strings.CutPrefix(path, wellKnown)
	if !inserted || resource != "" && resource[0] != '/' {
		var appended bool
		if resource, appended = strings.CutSuffix(path, wellKnown); !appended {
			return interceptor.ResourceMetadata{}, false
		}
	}
	req := interceptor.HTTPRequest("", r)
	req.Path = resource
	return b.authorizer.Metadata(req)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // The client is gone; nobody is left to tell.
}
