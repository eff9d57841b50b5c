package exchange

import (
	"io"
	"net/http"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/internal/drain"
)

// maxPath is the length in bytes of the longest path that is walked, decoded or as
// it was sent.
const maxPath = 8 << 10

const tooLong = "URI Too Long\n"

// RefuseLongPath responds with 414 (RFC 9110 §15.5.15) to a request whose path is
// longer than rules, resources and routers should have to walk, and reports
// whether it did. Handlers that walk a path call it first.
func RefuseLongPath(w http.ResponseWriter, r *http.Request) bool {
	if len(r.URL.Path) <= maxPath && len(r.URL.RawPath) <= maxPath {
		return false
	}
	rest := drain.Read(w, r, r.Body)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(tooLong)))
	w.WriteHeader(http.StatusRequestURITooLong)
	_, _ = io.WriteString(w, tooLong) // A failure means that the client is gone.
	rest.Linger()
	return true
}
