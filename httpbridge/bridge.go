// Package httpbridge tells the decisions of an [interceptor.Authorizer] to HTTP
// clients that know OAuth and no RPC, MCP clients above all: 401 and 403 with a
// WWW-Authenticate challenge, and the metadata documents that the challenge
// points to (RFC 6750, RFC 9728).
//
// A [Bridge] has four parts, to be used alone or together. [Bridge.Handler] wraps
// a server, and answers with the denial that RPC code below it met, whether it
// was made in this process or came from a backend. [Bridge.Protect] guards any
// http.Handler by the rule of a service. [Bridge.Metadata] serves the metadata
// documents. [Bridge.WriteError] writes a denial as an HTTP answer.
package httpbridge

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"connectrpc.com/cors"
	rscors "github.com/rs/cors"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// Options are the choices of a [Bridge]. The zero Options are good ones for
// clients that are not browsers.
type Options struct {
	// AllowedOrigins are the origins, such as "https://app.example.com", from
	// which browsers may call. [Bridge.Protect] refuses a request from any other
	// one but our own with 403, against DNS rebinding (MCP transports, Security
	// Warning), and both Protect and [Bridge.Handler] answer the preflights of
	// these. Empty means that browsers call from nowhere else. There is no way
	// to allow all: name them.
	AllowedOrigins []string
}

// Bridge writes denials as HTTP answers. It is immutable after [New], and safe
// for concurrent use.
type Bridge struct {
	authorizer *interceptor.Authorizer
	origins    []string
	cors       *rscors.Cors // nil if there are no AllowedOrigins
	public     http.Handler // the metadata documents, readable from everywhere
	answers    sync.Map     // *interceptor.ChallengeError → *answer, prebuilt ones alone
}

// New makes a Bridge, or returns every fault of the options at once.
func New(authorizer *interceptor.Authorizer, options Options) (*Bridge, error) {
	var faults []error
	if authorizer == nil {
		faults = append(faults, errors.New("httpbridge: the Authorizer is nil"))
	}
	for i, origin := range options.AllowedOrigins {
		if reason := checkOrigin(origin); reason != "" {
			faults = append(faults, fmt.Errorf("httpbridge: AllowedOrigins[%d]: %q %s", i, origin, reason))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b := &Bridge{authorizer: authorizer}
	for _, origin := range options.AllowedOrigins {
		b.origins = append(b.origins, strings.ToLower(origin))
	}
	if len(b.origins) > 0 {
		b.cors = newCORS(b.allowsOrigin)
	}
	b.public = rscors.New(rscors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodHead},
		AllowedHeaders: []string{"*"},
	}).Handler(http.HandlerFunc(b.metadata))
	return b, nil
}

// Authorizer returns the Authorizer that b tells the decisions of.
func (b *Bridge) Authorizer() *interceptor.Authorizer { return b.authorizer }

// checkOrigin returns what is wrong with an origin (RFC 6454 §6.2).
func checkOrigin(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		return "has a wildcard; name the origins"
	case strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' }):
		return "has a character that browsers do not send in an origin; hosts are in punycode"
	case err != nil || u.Host == "" || u.Scheme == "":
		return "is not an origin such as https://app.example.com"
	case strings.HasSuffix(origin, ":") || !isPort(u.Port()):
		return "has a malformed port"
	case strings.HasPrefix(u.Hostname(), ".") || strings.Contains(u.Hostname(), ".."):
		return "has a malformed host"
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return "has more than a scheme, a host and a port"
	case u.Scheme == "http" && u.Port() == "80" || u.Scheme == "https" && u.Port() == "443":
		return "names the default port, which browsers leave out"
	default:
		return ""
	}
}

// isPort reports whether a port is written as browsers write it, or empty.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && strconv.FormatUint(number, 10) == port
}

// newCORS lets browsers send what RPC and MCP need, and read the challenge.
func newCORS(allows func(origin string) bool) *rscors.Cors {
	return rscors.New(rscors.Options{
		// An empty list of origins would mean all of them to rs/cors.
		AllowOriginFunc: allows,
		AllowedMethods:  append(cors.AllowedMethods(), http.MethodHead, http.MethodDelete),
		AllowedHeaders: append(cors.AllowedHeaders(),
			"Authorization", "Last-Event-Id", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "Mcp-Session-Id"),
		ExposedHeaders: append(cors.ExposedHeaders(), wwwAuthenticate, "Mcp-Protocol-Version", "Mcp-Session-Id"),
		MaxAge:         7200, // what Chromium caps it at
	})
}

// allowsOrigin reports whether a browser may call from origin.
func (b *Bridge) allowsOrigin(origin string) bool {
	return slices.Contains(b.origins, strings.ToLower(origin))
}

// foreign reports whether a browser sent the request from where it must not
// (MCP transports: Origin is validated on every connection). Our own origins
// are those that were configured, not the Host that the request claims: that
// one an attacker chooses.
func (b *Bridge) foreign(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return false
	}
	return len(origins) > 1 || !b.allowsOrigin(origins[0]) && !b.authorizer.OwnOrigin(origins[0])
}

// isPreflight reports whether a browser asks whether it may ask (Fetch §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
