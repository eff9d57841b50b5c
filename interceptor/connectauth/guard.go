package connectauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// Guard guards every RPC of a mux, also those of services that are registered
// later. It decides on the header of a request, before anything of the message
// is read, and writes a refusal in the caller's protocol: Connect, gRPC or
// gRPC-Web, or as an HTTP response if the request is none of these.
//
// The path of the request selects what Guard decides:
//
//   - The path, less the path of its resource, is the procedure. A request for a
//     service that the policy names or whose descriptor is linked into the
//     program is decided, whatever its HTTP method and content type.
//   - A request that is an RPC by its content type, or by Connect's version in
//     header or query, is decided whether its service is known or not. A service
//     without a rule is denied. The path of a service that is mounted below a
//     prefix is therefore part of the identifier of its resource.
//   - A longer path that ends in a known procedure may be routed to it by a
//     router that strips prefixes, and so may a path with empty or dot segments
//     or a slash at the end by a router that cleans paths. Such a request is
//     refused if the rule of that procedure, or of another one on the way,
//     refuses it, but it is not let in by that: a guard or option further in has
//     to decide.
//   - Other requests pass untouched, and so do CORS preflights.
//
// A stream ends when the token that opened it expires: with the next message in
// either direction. [WithAuthorizer] on a handler behind the guard skips its
// decision only where requirement, resource and credential are the same.
//
// A handler that is mounted for a whole subtree and ignores the rest of the path
// needs [WithAuthorizer]: Guard does not know which paths it serves.
func Guard(a *drawbridge.Authorizer, next http.Handler) http.Handler {
	return &guard{adapter: a.Adapter(), next: next, writer: connect.NewErrorWriter()}
}

type guard struct {
	adapter drawbridge.Adapter
	next    http.Handler
	writer  *connect.ErrorWriter
	unary   sync.Map // procedure → bool, of those that a descriptor knows
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isPreflight(r) {
		g.next.ServeHTTP(w, r)
		return
	}
	req := drawbridge.HTTPRequest(r)
	if procedure, ok := g.procedureOf(r, &req); ok {
		req.Procedure = procedure
		g.authorize(w, r, &req)
		return
	}
	if !g.refuseOnTheWay(w, r, &req) {
		g.next.ServeHTTP(w, r)
	}
}

// isPreflight reports whether a browser asks which requests it may send (Fetch
// §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Access-Control-Request-Method"] != nil
}

// procedureOf returns the procedure that a request is decided by.
func (g *guard) procedureOf(r *http.Request, req *drawbridge.Request) (string, bool) {
	path := r.URL.Path
	if g.isKnown(path) {
		return path, true
	}
	if mount := g.adapter.Mount(r.Context(), req); mount != "" {
		if rest, ok := strings.CutPrefix(path, mount); ok && (rest == "" || rest[0] == '/') {
			path = rest
		}
		if g.isKnown(path) {
			return path, true
		}
	}
	return path, isRPC(r)
}

// isKnown reports whether a path is exactly that of a procedure of a known
// service.
func (g *guard) isKnown(path string) bool {
	service, _, ok := rpc.CutProcedure(path)
	return ok && g.adapter.KnowsService(service)
}

// isRPC reports whether a request says that it is an RPC. Unary Connect with JSON
// is like any other JSON, unless it has a version.
func isRPC(r *http.Request) bool {
	if contentType := r.Header["Content-Type"]; len(contentType) > 0 && rpc.IsNative(contentType[0]) {
		return true
	}
	return len(r.Header["Connect-Protocol-Version"]) > 0 || isConnectGet(r)
}

// isPostOfRPC reports whether a POST has the content type of an RPC, JSON
// included.
func isPostOfRPC(r *http.Request) bool {
	return r.Method == http.MethodPost && rpc.ProtocolOf(r.Header.Get("Content-Type")) != rpc.None
}

func isConnectGet(r *http.Request) bool {
	return r.URL.RawQuery != "" && r.Method == http.MethodGet && r.URL.Query().Get("connect") == "v1"
}

func (g *guard) authorize(w http.ResponseWriter, r *http.Request, req *drawbridge.Request) {
	ctx, denial := g.adapter.Authorize(r.Context(), req)
	if denial != nil {
		g.refuse(w, r, denial)
		return
	}
	if isRPC(r) || isPostOfRPC(r) {
		interceptor.Answer(ctx, r.URL.Path, nil)
	}
	caller := g.adapter.Caller(ctx)
	if req.Procedure != r.URL.Path {
		ctx = context.WithValue(ctx, mountedKey{}, &mounted{req.Procedure, r.URL})
	}
	if caller.Expiry().IsZero() || expires(ctx, caller) || !g.mayStream(r, req.Procedure) {
		g.next.ServeHTTP(w, r.WithContext(ctx))
		return
	}
	stream := newExpiringStream(ctx, w, r, caller, req.Procedure)
	g.next.ServeHTTP(stream, stream.request(ctx, r))
	stream.finish()
}

// mounted is a procedure that is mounted below the path of its resource. A
// handler further in does not see the URL, and the path of the procedure alone
// may belong to another resource.
type mounted struct {
	procedure string
	url       *url.URL
}

// mountedKey is the context key of a *mounted.
type mountedKey struct{}

// mayStream reports whether the messages of a request may outlive its token. The
// protocols but unary Connect leave that to the procedure.
func (g *guard) mayStream(r *http.Request, procedure string) bool {
	if rpc.ProtocolOf(r.Header.Get("Content-Type")) <= rpc.ConnectUnary {
		return false
	}
	if unary, ok := g.unary.Load(procedure); ok {
		return !unary.(bool) //nolint:forcetypeassert // Nothing else is ever stored.
	}
	service, method, _ := rpc.CutProcedure(procedure)
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if err != nil || !ok {
		return true
	}
	unary := !descriptor.IsStreamingClient() && !descriptor.IsStreamingServer()
	g.unary.Store(procedure, unary)
	return !unary
}

// refuse writes a denial in the protocol of the request.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, denial *challenge.DenialError) {
	interceptor.Answer(r.Context(), r.URL.Path, denial)
	if shape := shapeOf(r); shape != unknownShape {
		refusalForms[shape].Of(denial).write(w, r)
		return
	}
	if (isRPC(r) || isPostOfRPC(r)) && g.writer.IsSupported(r) {
		setChallenge(w.Header(), denial)
		_ = g.writer.Write(w, r, NewError(denial)) // A failure means that the client is gone.
		return
	}
	denial.Response().Write(w)
}
