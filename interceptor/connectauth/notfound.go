package connectauth

import (
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// NotFoundHandler answers calls of services that no handler serves, and is
// mounted at "/". A caller without a valid token gets the challenge that any
// other procedure gives, so that its calls do not tell which services exist.
// What is not a call of an RPC gets a plain 404.
//
// Handlers of connect-go answer unknown methods of their own service, and what
// is no call at all, by themselves: whoever looks for that finds out that there
// is a handler.
func NotFoundHandler(a *interceptor.Authorizer) http.Handler {
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isCall(r) || !writer.IsSupported(r) {
			http.NotFound(w, r)
			return
		}
		req := interceptor.HTTPRequest("", r)
		req.Procedure = r.URL.Path
		refusal := connect.NewError(connect.CodeUnimplemented, errors.New("no such service or method"))
		if _, err := a.Authorize(r.Context(), req); err != nil {
			var denial *interceptor.ChallengeError
			refusal, denial = refuse(r.Context(), err, req.Procedure)
			if denial.Kind.Challenges() {
				w.Header().Set(wwwAuthenticate, denial.Challenge.Header())
			}
		}
		_ = writer.Write(w, r, refusal) // The connection is gone; nobody is left to tell.
	})
}

// isCall reports whether a request looks like a call of an RPC. An ErrorWriter
// takes every GET and any application/* for Connect.
func isCall(r *http.Request) bool {
	if _, _, ok := policy.ParseProcedure(r.URL.Path); !ok {
		return false
	}
	if r.Method == http.MethodGet {
		return r.URL.Query().Get("connect") == "v1"
	}
	content, _, _ := strings.Cut(strings.ToLower(r.Header.Get("Content-Type")), ";")
	switch content = strings.TrimSpace(content); content {
	case "application/json", "application/proto":
		return true
	default:
		return strings.HasPrefix(content, "application/grpc") || strings.HasPrefix(content, "application/connect+")
	}
}
