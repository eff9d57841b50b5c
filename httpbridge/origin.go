package httpbridge

import (
	"net/http"
	"strings"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"
)

const (
	wwwAuthenticate = "Www-Authenticate"
	exposeHeaders   = "Access-Control-Expose-Headers"
)

// newCORS lets browsers send what RPC and MCP need, and read the challenge.
func newCORS(allows func(origin string) bool) *cors.Cors {
	return cors.New(cors.Options{
		// An empty list of origins would mean all of them to rs/cors.
		AllowOriginFunc: allows,
		AllowedMethods:  append(connectcors.AllowedMethods(), http.MethodHead, http.MethodDelete),
		AllowedHeaders: append(connectcors.AllowedHeaders(),
			"Authorization", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "Mcp-Session-Id"),
		ExposedHeaders: append(connectcors.ExposedHeaders(), wwwAuthenticate, "Mcp-Protocol-Version", "Mcp-Session-Id"),
		MaxAge:         7200, // the most that Chromium accepts
	})
}

// newPublicCORS lets every page read.
func newPublicCORS() *cors.Cors {
	return cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodHead},
		AllowedHeaders: []string{"*"},
	})
}

// allowsOrigin reports whether a browser may call from origin.
func (b *Bridge) allowsOrigin(origin string) bool { return b.origins[strings.ToLower(origin)] }

// isForeign reports whether a browser sent the request from where it must not
// (MCP transports: Origin is validated on every connection). Our own origins
// are those that were configured, not the Host that the request claims, because
// an attacker chooses that.
func (b *Bridge) isForeign(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return false
	}
	return len(origins) > 1 || !b.allowsOrigin(origins[0]) && !b.adapter.OwnsOrigin(origins[0])
}

// expose lets a browser read the challenge.
func expose(header http.Header, r *http.Request) {
	if len(r.Header["Origin"]) == 0 {
		return
	}
	for _, exposed := range header[exposeHeaders] {
		if strings.Contains(strings.ToLower(exposed), "www-authenticate") {
			return
		}
	}
	header.Add(exposeHeaders, "WWW-Authenticate")
}
