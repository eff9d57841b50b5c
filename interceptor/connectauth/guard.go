package connectauth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
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
//     header or query, is decided whether its service is known or not, and so is
//     one that connect-go would accept without them at the path of a service in a
//     package: a POST of JSON to /pkg.Service/Method. A service without a rule is
//     denied. The path of a service that is mounted below a
//     prefix is therefore part of the identifier of its resource.
//   - A longer path that ends in a known procedure may be routed to it by a
//     router that strips prefixes, and so may a path with empty or dot segments
//     or a slash at the end by a router that cleans paths. Such a request is
//     refused if the rule of that procedure, or of another one on the way,
//     refuses it, but it is not let in by that: a guard or option further in has
//     to decide.
//   - Other requests pass untouched, and so do CORS preflights: a plain handler at
//     the path of a procedure must not act on OPTIONS.
//
// A path of more than 8 KiB is refused with 414 before anything walks it.
//
// A stream ends when the token that opened it expires: with the next message in
// either direction, or before the handler learns that the client sends nothing
// more. The one response of a client stream whose request has ended in time is sent.
// [WithAuthorizer] on a handler behind the guard skips its decision only where
// requirement, resource and credential are the same.
//
// A caller without a valid token gets a challenge, whether the procedure exists or
// not. The challenge for a procedure with a rule names the scopes of the rule, so it
// shows that there is one. A handler returns a denial of its own as it is, see
// [NewError].
//
// A handler that is mounted for a whole subtree and ignores the rest of the path
// needs [WithAuthorizer]: Guard does not know which paths it serves.
//
// A rule that reads the message, see policy.Rule.Condition, is not met here, and the
// call is denied as internal: see [GuardConfig].
//
// Guard panics if an argument is nil.
func Guard(a *drawbridge.Authorizer, next http.Handler) http.Handler {
	return GuardWith(a, next, GuardConfig{})
}

// GuardConfig configures a guard of [GuardWith]. The zero GuardConfig is that of [Guard].
type GuardConfig struct {
	// Deciding are the full names of services whose handlers have [WithAuthorizer], or are
	// those of a grpc-go server with grpcauth, of the same Authorizer. Where the rule of a
	// method reads the message, the guard judges the rest, and they the message. Without
	// them, such a call is denied.
	//
	// DANGER: a handler of one of these services that has no such option serves the call,
	// and nothing has judged its message.
	Deciding []string
}

// GuardWith is [Guard] with a configuration.
func GuardWith(a *drawbridge.Authorizer, next http.Handler, config GuardConfig) http.Handler {
	if next == nil {
		panic("connectauth: the handler is nil")
	}
	return &guard{adapter: a.Adapter(), next: next, writer: connect.NewErrorWriter(), deciding: slices.Clone(config.Deciding)}
}

type guard struct {
	adapter  drawbridge.Adapter
	next     http.Handler
	writer   *connect.ErrorWriter
	deciding []string

	streamTypes sync.Map // procedure → connect.StreamType, of those that a descriptor knows
}

var _ exchange.Guard = (*guard)(nil)

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if exchange.RefuseLongPath(w, r) {
		return
	}
	decided := g.Decide(r)
	switch {
	case decided.Denial != nil:
		interceptor.Answer(r.Context(), r.URL.Path, decided.Denial)
		g.Refuse(w, r, decided.Denial)
	case decided.Procedure == "":
		g.next.ServeHTTP(w, r)
	default:
		if decided.Native {
			interceptor.Answer(r.Context(), r.URL.Path, nil)
		}
		ctx := decided.Caller.NewContext(r.Context())
		g.Serve(w, r.WithContext(ctx), g.adapter.Caller(ctx), decided)
	}
}

// Decide implements exchange.Guard.
func (g *guard) Decide(r *http.Request) (decided exchange.Decision) {
	if exchange.IsPreflight(r) {
		return decided
	}
	req := drawbridge.HTTPRequest(r)
	adapter := g.adapter.Pin(r.Context())
	procedure, known := exchange.ProcedureOf(r.Context(), adapter, &req)
	protocol := protocolOf(r)
	isRPC := isRPC(r, protocol)
	if !known && !isRPC && !isUnversioned(r, procedure) {
		decided.Denial = denyOnTheWay(adapter, r, &req)
		return decided
	}
	req.Procedure = procedure
	applyMount(r.Context(), &req)
	decided.Procedure = procedure
	if len(g.deciding) > 0 {
		service, _, _ := rpc.CutProcedure(procedure)
		req.MessageFollows = slices.Contains(g.deciding, service)
	}
	decided.Native = isRPC || isConnectJSON(r, protocol)
	decided.MayStream = protocol.MayStream()
	decided.Denial = adapter.Decide(r.Context(), &req, &decided.Caller)
	return decided
}

// isUnversioned reports whether connect-go would take a request for an RPC that
// names neither protocol nor version, if a handler is mounted at its path: JSON,
// or a codec of the user's own, or a GET. The path has to be that of a service in
// a package, so that the JSON of other APIs passes.
func isUnversioned(r *http.Request, procedure string) bool {
	service, _, ok := rpc.ParseProcedure(procedure)
	if !ok || !strings.Contains(service, ".") {
		return false
	}
	switch r.Method {
	case http.MethodPost:
		return strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/")
	case http.MethodGet:
		query := r.URL.Query()
		return query.Has("encoding") && query.Has("message")
	default:
		return false
	}
}

func protocolOf(r *http.Request) rpc.Protocol {
	if contentType := r.Header["Content-Type"]; len(contentType) > 0 {
		return rpc.ProtocolOf(contentType[0])
	}
	return rpc.None
}

// isRPC reports whether a request says that it is an RPC. Unary Connect with JSON
// is like any other JSON, unless it has a version.
func isRPC(r *http.Request, protocol rpc.Protocol) bool {
	return protocol.IsNative() || len(r.Header["Connect-Protocol-Version"]) > 0 || isConnectGet(r)
}

// isConnectJSON reports whether a request is unary Connect with JSON, if its path
// is that of a procedure.
func isConnectJSON(r *http.Request, protocol rpc.Protocol) bool {
	return protocol == rpc.ConnectJSON && r.Method == http.MethodPost
}

func isConnectGet(r *http.Request) bool {
	return r.URL.RawQuery != "" && r.Method == http.MethodGet && r.URL.Query().Get("connect") == "v1"
}

// Serve implements exchange.Guard.
func (g *guard) Serve(w http.ResponseWriter, r *http.Request, caller *drawbridge.Caller, decided exchange.Decision) {
	if decided.Procedure == "" {
		g.next.ServeHTTP(w, r)
		return
	}
	ctx := r.Context()
	if decided.Procedure != r.URL.Path {
		ctx = context.WithValue(ctx, mountedKey{}, &mounted{decided.Procedure, r.URL.Path, r.URL.RawPath})
		r = r.WithContext(ctx)
	}
	streamType := connect.StreamTypeUnary
	if decided.MayStream && caller.MayEnd() {
		streamType = g.streamType(decided.Procedure)
	}
	if streamType == connect.StreamTypeUnary || expires(ctx, caller) {
		g.next.ServeHTTP(w, r)
		dropTrailer(w.Header())
		return
	}
	stream := newExpiringStream(ctx, w, r, caller, decided.Procedure, streamType)
	g.next.ServeHTTP(stream, stream.request(ctx, r))
	stream.finish()
	dropTrailer(w.Header())
}

// dropTrailer removes the copy of the challenge that connect-go sends as a trailer
// over gRPC, where a handler has returned a denial: net/http would log that
// WWW-Authenticate must not be a trailer.
func dropTrailer(header http.Header) { delete(header, http.TrailerPrefix+wwwAuthenticate) }

// mounted is a procedure that is mounted below the path of its resource. A
// handler further in does not see the URL, and the path of the procedure alone
// may belong to another resource.
type mounted struct{ procedure, path, rawPath string }

// mountedKey is the context key of a *mounted.
type mountedKey struct{}

// applyMount gives a request the path that a guard further out has seen.
func applyMount(ctx context.Context, req *drawbridge.Request) {
	if m, ok := ctx.Value(mountedKey{}).(*mounted); ok && m.procedure == req.Procedure {
		req.Path, req.RawPath = m.path, m.rawPath
	}
}

// streamType returns the type of a procedure. One without a descriptor may be any.
func (g *guard) streamType(procedure string) connect.StreamType {
	if known, ok := g.streamTypes.Load(procedure); ok {
		return known.(connect.StreamType) //nolint:forcetypeassert // Nothing else is ever stored.
	}
	service, method, _ := rpc.CutProcedure(procedure)
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method))
	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if err != nil || !ok {
		return connect.StreamTypeBidi
	}
	known := connect.StreamTypeUnary
	if descriptor.IsStreamingClient() {
		known |= connect.StreamTypeClient
	}
	if descriptor.IsStreamingServer() {
		known |= connect.StreamTypeServer
	}
	g.streamTypes.Store(procedure, known)
	return known
}

// Refuse implements exchange.Guard.
func (g *guard) Refuse(w http.ResponseWriter, r *http.Request, denial *challenge.DenialError) {
	respondEarly(w, r, func(incomplete bool) { g.write(w, r, denial, incomplete) })
}

// write writes a denial in the protocol of the request.
func (g *guard) write(w http.ResponseWriter, r *http.Request, denial *challenge.DenialError, incomplete bool) {
	if shape := shapeOf(r); shape != unknownShape {
		writeForm(w, r, shape, denial, incomplete)
		return
	}
	if protocol := protocolOf(r); (isRPC(r, protocol) || isConnectJSON(r, protocol)) && g.writer.IsSupported(r) {
		denial.SetHeader(w.Header())
		_ = g.writer.Write(w, r, newError(denial)) // A failure means that the client is gone.
		return
	}
	denial.Response().Write(w)
}
