package connectauth

import (
	"net/http"
	"strconv"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/drain"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// respondEarly lets write respond to a request of which nothing was read, so that
// the response arrives over HTTP/2 (RPC-9).
func respondEarly(w http.ResponseWriter, r *http.Request, write func(incomplete bool)) {
	rest := drain.Read(w, r, r.Body)
	write(rest.IsOpen())
	if protocolOf(r) == rpc.GRPC {
		// Without it net/http adds a Content-Length of zero (golang/go#54723), and
		// then proxies drop the trailers.
		flush(w)
	}
	rest.Linger()
}

// writeForm writes the form of a denial for a shape. If the request is incomplete,
// the client knows by the length when the response is not.
func writeForm(w http.ResponseWriter, r *http.Request, shape shape, denial *challenge.DenialError, incomplete bool) {
	form := refusalForms[shape].Of(denial)
	if incomplete && len(form.trailers) == 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(form.body)))
	}
	form.write(w, r)
}

// flush flushes w. Nearly every writer is an http.Flusher, which costs nothing.
func flush(w http.ResponseWriter) {
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
		return
	}
	_ = http.NewResponseController(w).Flush() // Nothing depends on it directly.
}
