package resource

import (
	"context"
	"crypto/tls"
	"net/url"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// Transport reads what the transport knows of a request. It is documented at
// drawbridge.Transport, which has the same methods.
type Transport interface {
	Values(ctx context.Context, name string) []string
	Host(ctx context.Context) string
	Connection(ctx context.Context) (remoteAddr string, state *tls.ConnectionState)
}

// Request is what a [Directory] needs to know of a request. Nothing is read from
// the transport unless it makes a difference.
type Request struct {
	// Path is the decoded path of the URL, and RawPath the path as it was sent
	// where the usual encoding of Path is another.
	Path, RawPath string
	// RemoteAddr is the address and port of the peer. Empty means that Transport
	// is asked for it.
	RemoteAddr string
	// Transport may be nil: the request then has no host and no fields.
	Transport Transport
}

// host returns the Host of the request, "" if it has none.
func (req *Request) host(ctx context.Context) string {
	if req.Transport == nil {
		return ""
	}
	return req.Transport.Host(ctx)
}

// scheme returns the scheme of the connection.
func (req *Request) scheme(ctx context.Context) string {
	if req.Transport != nil {
		if _, encrypted := req.Transport.Connection(ctx); encrypted != nil {
			return "https"
		}
	}
	return "http"
}

// isPlain reports whether there is only one way to read the path, as in nearly
// every request: nothing is encoded, and no segment is empty or begins with a
// dot.
func (req *Request) isPlain() bool {
	if req.RawPath != "" {
		return false
	}
	for i := range len(req.Path) {
		switch c := req.Path[i]; {
		case c == '\\':
			return false
		case c == '/' && i+1 < len(req.Path) && (req.Path[i+1] == '/' || req.Path[i+1] == '.'):
			return false
		}
	}
	return true
}

// readings returns the other paths that a router may read: the path as it was
// sent, with empty segments merged, with backslashes as slashes, and with encoded
// slashes as parts of a segment. Nearly every request has none.
func (req *Request) readings() []string {
	var others []string
	if strings.Contains(req.Path, "//") {
		others = append(others, mergeSlashes(req.Path))
	}
	if strings.Contains(req.Path, `\`) {
		others = append(others, mergeSlashes(strings.ReplaceAll(req.Path, `\`, "/")))
	}
	if req.RawPath != "" {
		others = append(others, req.RawPath, mergeSlashes(req.RawPath))
	}
	if strings.Contains(req.RawPath, "%2F") || strings.Contains(req.RawPath, "%2f") {
		if path, err := url.PathUnescape(keepSlashes.Replace(req.RawPath)); err == nil {
			others = append(others, path)
		}
	}
	return others
}

// keepSlashes makes encoded slashes survive the decoding.
var keepSlashes = strings.NewReplacer("%2F", "%252F", "%2f", "%252f")

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// IsAmbiguous reports whether a router may read the path in another way that makes
// a difference: the path holds a "." or ".." segment, or another reading belongs to
// another resource.
func (d *Directory) IsAmbiguous(ctx context.Context, req *Request) bool {
	if req.isPlain() {
		return false
	}
	if uri.HasDotSegment(req.Path) {
		return true
	}
	if len(d.resources) == 1 {
		return false
	}
	host := req.host(ctx)
	plain := d.resourceAt(host, req.Path)
	for _, path := range req.readings() {
		if d.resourceAt(host, path) != plain {
			return true
		}
	}
	return false
}
