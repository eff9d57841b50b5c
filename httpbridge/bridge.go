// Package httpbridge turns the decisions of a [drawbridge.Authorizer] into HTTP
// responses for clients that know OAuth and no RPC, MCP clients above all: 401
// and 403 with a WWW-Authenticate challenge, and the metadata documents that the
// challenge points to (RFC 6750, RFC 9728).
//
// A [Bridge] has four parts, to be used alone or together. [Bridge.Handler] wraps
// a server, and responds with the denial that RPC code below it met, whether it
// was made in this process or came from a backend. [Bridge.Protect] guards any
// http.Handler by the rule of a service. [Bridge.Metadata] serves the metadata
// documents. [Bridge.WriteError] writes a denial as an HTTP response.
package httpbridge

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/cors"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// Config configures a [Bridge]. [New] checks all of it, copies what it needs, and
// reports every fault at once.
type Config struct {
	// Authorizer decides. Required.
	Authorizer *drawbridge.Authorizer
	// AllowedOrigins are the origins, such as "https://app.example.com", from
	// which browsers may call. [Bridge.Protect] refuses a request from any other
	// one but our own with 403, against DNS rebinding (MCP transports, Security
	// Warning), and both Protect and [Bridge.Handler] answer the preflights of
	// these. Empty means that browsers call from nowhere else. There is no way
	// to allow all: name them.
	AllowedOrigins []string
	// AllowedHeaders are the names of further header fields that pages of
	// AllowedOrigins may send, such as "X-Request-Id". Those that RPC and MCP need,
	// any Mcp-Param field included, are allowed anyway. There is no way to allow
	// all: name them.
	AllowedHeaders []string
}

// Bridge writes denials as HTTP responses. It is immutable after [New], and safe
// for concurrent use.
type Bridge struct {
	authorizer *drawbridge.Authorizer
	adapter    drawbridge.Adapter
	origins    map[string]bool // in lower case
	cors       *cors.Cors      // nil if there are no AllowedOrigins
	headers    []string        // the AllowedHeaders
	public     http.Handler    // the metadata documents, readable from everywhere
}

// New returns a Bridge, or every fault of the configuration: its error joins
// [*fault.Fault] values.
func New(cfg Config) (*Bridge, error) {
	faults := fault.List{Within: "httpbridge: "}
	if cfg.Authorizer == nil {
		faults.Add("Authorizer", "", "is required", "")
	}
	origins := make(map[string]bool)
	for i, origin := range cfg.AllowedOrigins {
		if reason := uri.CheckOrigin(origin); reason != "" {
			faults.Add(fmt.Sprintf("AllowedOrigins[%d]", i), origin, reason, "name every origin as browsers send it")
		}
		origins[strings.ToLower(origin)] = true
	}
	cfg.checkHeaders(&faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	b := &Bridge{
		authorizer: cfg.Authorizer,
		adapter:    cfg.Authorizer.Adapter(),
		origins:    origins,
		headers:    slices.Clone(cfg.AllowedHeaders),
	}
	if len(origins) > 0 {
		b.cors = newCORS(b.allowsOrigin, b.headers)
	}
	b.public = newPublicCORS().Handler(http.HandlerFunc(b.metadata))
	return b, nil
}

// checkHeaders adds a fault for each of the AllowedHeaders that is not the name of a
// header field.
func (cfg *Config) checkHeaders(faults *fault.List) {
	for i, name := range cfg.AllowedHeaders {
		if !isFieldName(name) {
			faults.Add(fmt.Sprintf("AllowedHeaders[%d]", i), name, "is not the name of a header field (RFC 9110 §5.1)", "name every field; there are no wildcards")
		}
	}
	if len(cfg.AllowedHeaders) > 0 && len(cfg.AllowedOrigins) == 0 {
		faults.Add("AllowedHeaders", "", "has no effect without AllowedOrigins", "")
	}
}

// Authorizer returns the Authorizer that decides.
func (b *Bridge) Authorizer() *drawbridge.Authorizer { return b.authorizer }
