package drawbridge

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// Request is what an [Authorizer] needs to know of a request. Nothing in it is
// kept after the decision.
type Request struct {
	// Procedure is the RPC, "/pkg.Service/Method". It is empty for a plain HTTP
	// request, which names its Service instead.
	Procedure string
	// Service is the service whose rule guards a plain HTTP request. It is
	// ignored unless Procedure is empty.
	Service string
	// Path is the path of the request's URL, decoded as in url.URL.Path, and
	// selects the [Resource]. Empty means Procedure.
	Path string
	// RawPath is url.URL.RawPath: the path as it was sent, where the usual
	// encoding of Path is another. A path that routers read in different ways,
	// and that could belong to different resources, is refused.
	RawPath string
	// Method is the HTTP method. Empty means POST.
	Method string
	// QueryToken reports that the URL's query holds an access_token (RFC 6750
	// §2.3). It is not read, but beside another credential it is a fault.
	QueryToken bool
	// RemoteAddr is the address and port of the peer. Empty means that Transport
	// is asked for it.
	RemoteAddr string
	// Message is the decoded message of a unary call. Nil means that it is not known:
	// a rule that depends on it is then not met.
	Message proto.Message
	// MessageFollows promises that the same request is decided again with its Message,
	// before anything serves it. A rule that depends on the message is judged for the
	// rest now, and the decision is left open until then: it is observed when it is made,
	// and never if the message does not arrive or does not decode. It is for adapters that
	// decide before a message is read, and then know the message.
	MessageFollows bool
	// Transport reads the rest. Nil means a request without any header field,
	// which only a public rule lets in.
	Transport Transport
}

// Transport reads what the transport of a request knows. Its methods are called
// only for what makes a difference, with the context that was passed to
// Authorize. They may be called concurrently for different requests.
type Transport interface {
	// Values returns every value of a header field, named in the canonical form
	// of net/http. The slice is not changed and not kept.
	Values(ctx context.Context, name string) []string
	// Host returns the Host field or the :authority.
	Host(ctx context.Context) string
	// Connection returns the address and port of the peer, and the state of TLS,
	// nil if the connection is not encrypted. The forwarded fields count only if
	// the peer is a trusted proxy.
	Connection(ctx context.Context) (remoteAddr string, state *tls.ConnectionState)
}

// HTTPRequest returns the Request for an HTTP request. The caller sets its
// Procedure or its Service.
func HTTPRequest(r *http.Request) Request {
	return Request{
		Path:       r.URL.Path,
		RawPath:    r.URL.RawPath,
		Method:     r.Method,
		QueryToken: hasQueryToken(r.URL.RawQuery, r),
		Transport:  httpTransport{r},
	}
}

// hasQueryToken parses the query only if it may hold the parameter.
func hasQueryToken(query string, r *http.Request) bool {
	if query == "" || !strings.Contains(query, "access_token") && !strings.Contains(query, "%") {
		return false
	}
	return r.URL.Query().Has("access_token")
}

// httpTransport is an HTTP request as a [Transport]. It has the shape of a
// pointer, so it costs no allocation.
type httpTransport struct{ request *http.Request }

func (t httpTransport) Values(_ context.Context, name string) []string { return t.request.Header[name] }

func (t httpTransport) Host(context.Context) string { return t.request.Host }

func (t httpTransport) Connection(context.Context) (string, *tls.ConnectionState) {
	return t.request.RemoteAddr, t.request.TLS
}

func (req *Request) path() string {
	if req.Path != "" {
		return req.Path
	}
	return req.Procedure
}

// isProcedure reports whether the path is that of the procedure and of nothing
// else.
func (req *Request) isProcedure() bool {
	return req.Procedure != "" && req.RawPath == "" && (req.Path == "" || req.Path == req.Procedure)
}

// escapedPath returns the path as the client sent it.
func (req *Request) escapedPath() string {
	return (&url.URL{Path: req.path(), RawPath: req.RawPath}).EscapedPath()
}

// located returns the part of the request that selects the resource.
func (req *Request) located() resource.Request {
	return resource.Request{Path: req.path(), RawPath: req.RawPath, RemoteAddr: req.RemoteAddr, Transport: req.Transport}
}

// peer returns the address and port of the peer, "" if it is unknown.
func (req *Request) peer(ctx context.Context) string {
	if req.RemoteAddr != "" || req.Transport == nil {
		return req.RemoteAddr
	}
	remoteAddr, _ := req.Transport.Connection(ctx)
	return remoteAddr
}

// realm returns the name of the service that was asked for. It is empty unless
// it is well-formed, because the caller may have made it up.
func (req *Request) realm() string {
	if req.Procedure != "" {
		service, _, _ := rpc.ParseProcedure(req.Procedure)
		return service
	}
	if !rpc.ValidService(req.Service) {
		return ""
	}
	return req.Service
}

// name returns what was asked for, for the log.
func (req *Request) name() string {
	if req.Procedure != "" {
		return req.Procedure
	}
	return req.Service
}
