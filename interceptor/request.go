package interceptor

import (
	"crypto/tls"
	"net/http"
)

// Request is what an [Authorizer] needs to know of a call. Adapters fill it
// from what their transport gives; the slices are read and not kept.
type Request struct {
	// Procedure is the RPC, "/pkg.Service/Method". It is empty for a plain HTTP
	// request, which names its Service instead.
	Procedure string
	// Service is the service whose rule guards a plain HTTP request. It is
	// looked at only if Procedure is empty.
	Service string
	// Path is the path of the request's URL, decoded as in url.URL.Path, and
	// selects the [Resource]. Empty means Procedure.
	Path string
	// RawPath is url.URL.RawPath: the path as it was sent, where the usual
	// encoding of Path is another. A path that routers read in different ways,
	// and that could belong to different resources, is refused.
	RawPath string
	// Authorization holds every value of the Authorization field.
	Authorization []string
	// QueryToken says that the URL's query holds an access_token (RFC 6750
	// §2.3). It is not read, but beside another credential it is a fault.
	QueryToken bool
	// Host is the Host field or the :authority of the request.
	Host string
	// TLS is the state of the connection, nil if it is not encrypted.
	TLS *tls.ConnectionState
	// RemoteAddr is the address and port of the peer. The forwarded fields
	// below count only if it is a trusted proxy's.
	RemoteAddr string
	// Forwarded, ForwardedHost and ForwardedProto hold every value of the
	// fields Forwarded (RFC 7239), X-Forwarded-Host and X-Forwarded-Proto.
	Forwarded, ForwardedHost, ForwardedProto []string
}

// HTTPRequest returns the Request for an HTTP request to a plain handler that
// the rule of a service guards.
func HTTPRequest(service string, r *http.Request) Request {
	return Request{
		Service:        service,
		Path:           r.URL.Path,
		RawPath:        r.URL.RawPath,
		Authorization:  r.Header["Authorization"],
		QueryToken:     r.URL.RawQuery != "" && r.URL.Query().Has("access_token"),
		Host:           r.Host,
		TLS:            r.TLS,
		RemoteAddr:     r.RemoteAddr,
		Forwarded:      r.Header["Forwarded"],
		ForwardedHost:  r.Header["X-Forwarded-Host"],
		ForwardedProto: r.Header["X-Forwarded-Proto"],
	}
}

func (req *Request) path() string {
	if req.Path != "" {
		return req.Path
	}
	return req.Procedure
}
