package connectauth

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// NotFoundHandler answers calls of services that no handler serves, and is
// mounted at "/". A caller without a valid token gets a challenge, as for a
// procedure that exists. It shows whether a rule exists, because the challenge for
// a procedure with a rule names the scopes of the rule, but not whether a handler
// does. Any other caller gets unimplemented. Requests that are not RPCs get a
// plain 404.
//
// A public rule for a service that the server does not have is legal, and every
// caller gets unimplemented, which clients of gRPC wait for. A server wants such
// rules if its clients check its health (grpc.health.v1.Health), fall back from
// one version of reflection to another (grpc.reflection.v1.ServerReflection,
// grpc.reflection.v1alpha.ServerReflection), or watch its load
// (xds.service.orca.v3.OpenRcaService): the channel itself makes these calls,
// without a token.
//
// Handlers of connect-go answer unknown methods of their own service, and
// requests that are not RPCs, by themselves, which shows that there is a handler.
func NotFoundHandler(a *drawbridge.Authorizer) http.Handler {
	adapter := a.Adapter()
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isCall(r) || !writer.IsSupported(r) {
			http.NotFound(w, r)
			return
		}
		req := drawbridge.HTTPRequest(r)
		req.Procedure = r.URL.Path
		refusal := connect.NewError(connect.CodeUnimplemented, errors.New("no such service or method"))
		if _, denial := adapter.Authorize(r.Context(), &req); denial != nil {
			interceptor.Answer(r.Context(), req.Procedure, denial)
			denial.SetHeader(w.Header())
			refusal = newError(denial)
		}
		respondEarly(w, r, func(bool) {
			_ = writer.Write(w, r, refusal) // A failure means that the client is gone.
		})
	})
}

// isCall reports whether a request looks like a call of an RPC. An ErrorWriter
// takes every GET and any application/* for Connect.
func isCall(r *http.Request) bool {
	if _, _, ok := rpc.ParseProcedure(r.URL.Path); !ok {
		return false
	}
	if r.Method == http.MethodGet {
		return isConnectGet(r)
	}
	return rpc.ProtocolOf(r.Header.Get("Content-Type")) != rpc.None
}
