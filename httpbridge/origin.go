package httpbridge

import (
	"errors"
	"net"
	"net/http"
	"strings"

	connectcors "connectrpc.com/cors"
	"github.com/rs/cors"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

const (
	wwwAuthenticate = "Www-Authenticate"
	exposeHeaders   = "Access-Control-Expose-Headers"
)

// newCORS lets browsers send what RPC and MCP need, and further header fields, and
// read the challenge.
func newCORS(allows func(origin string) bool, further []string) *cors.Cors {
	return cors.New(cors.Options{
		// An empty list of origins would mean all of them to rs/cors.
		AllowOriginFunc: allows,
		AllowedMethods:  append(connectcors.AllowedMethods(), http.MethodHead, http.MethodDelete),
		AllowedHeaders: append(append(connectcors.AllowedHeaders(),
			"Authorization", "DPoP", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "Mcp-Session-Id"), further...),
		ExposedHeaders: append(connectcors.ExposedHeaders(), wwwAuthenticate, "DPoP-Nonce", "Mcp-Protocol-Version", "Mcp-Session-Id"),
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

// These bound what a preflight may ask for.
const (
	maxParams      = 64
	maxParamLength = 128
)

// paramPrefix begins the names of the fields in which MCP clients repeat arguments
// of a tool call (MCP 2026-07-28, x-mcp-header).
const paramPrefix = "mcp-param-"

// corsFor returns what answers a preflight. CORS knows no prefixes, so the Mcp-Param
// fields that it asks for are allowed by their names.
func (b *Bridge) corsFor(r *http.Request) *cors.Cors {
	if !b.allowsOrigin(r.Header.Get("Origin")) {
		return b.cors
	}
	params := paramsOf(r.Header["Access-Control-Request-Headers"])
	if len(params) == 0 {
		return b.cors
	}
	return newCORS(b.allowsOrigin, append(params, b.headers...))
}

// paramsOf returns the names of Mcp-Param fields in lists of field names, or none if
// there are too many.
func paramsOf(lists []string) []string {
	var params []string
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.Trim(name, " \t")
			suffix, ok := strings.CutPrefix(name, paramPrefix)
			if !ok || len(name) > maxParamLength || !isFieldName(suffix) {
				continue
			}
			if params = append(params, name); len(params) > maxParams {
				return nil
			}
		}
	}
	return params
}

// isFieldName reports whether s is a token (RFC 9110 §5.1), and no wildcard.
func isFieldName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'+-.^_`|~", r)
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

var errRebound = errors.New("a request to a loopback address has a Host that is neither a loopback name nor that of a resource")

// isRebound reports whether a page may have sent the request to this machine under
// a name of its own. A browser takes the response for the page's, and sends no
// Origin with GET.
func (b *Bridge) isRebound(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if local == nil || !local.IP.IsLoopback() || r.Host == "" {
		return false
	}
	name, _ := uri.SplitHost(r.Host)
	return !uri.IsLoopback(name) && !b.adapter.OwnsHost(r.Host)
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
