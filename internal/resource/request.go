package resource

import (
	"context"
	"crypto/tls"
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
