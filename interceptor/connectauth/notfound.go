package connectauth

import (
	"errors"
	"net/http"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// NotFoundHandler answers calls to procedures that no handler serves, and is
// mounted at "/". A caller without a valid token gets the challenge that any
// other procedure gives, so that it cannot tell which services exist. What is
// not an RPC gets a plain 404.
func NotFoundHandler(a *interceptor.Authorizer) http.Handler {
	writer := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !writer.IsSupported(r) {
			http.NotFound(w, r)
			return
		}
		req := interceptor.HTTPRequest("", r)
		req.Procedure = r.URL.Path
		refusal := connect.NewError(connect.CodeUnimplemented, errors.New("no such service or method"))
		if _, err := a.AuthorizeContext(r.Context(), req); err != nil {
			var denial *interceptor.ChallengeError
			refusal, denial = refuse(r.Context(), err)
			if denial.Kind.Challenges() {
				w.Header().Set(wwwAuthenticate, denial.Challenge.Header())
			}
		}
		_ = writer.Write(w, r, refusal) // The connection is gone; nobody is left to tell.
	})
}
