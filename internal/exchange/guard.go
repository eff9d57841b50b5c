package exchange

import (
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// A Guard is a handler that decides about requests before it serves them. The
// bridge around one calls the halves by themselves: a request that is refused
// needs no [Exchange], and the caller of any other one is a part of it. Together
// they are what ServeHTTP does.
type Guard interface {
	http.Handler
	// Decide decides about a request.
	Decide(r *http.Request) Decision
	// Refuse writes a denial in the protocol of the request.
	Refuse(w http.ResponseWriter, r *http.Request, denial *challenge.DenialError)
	// Serve serves a request that was not denied. The context of an RPC carries the
	// caller, which is that of the decision, at an address that outlives the call.
	Serve(w http.ResponseWriter, r *http.Request, caller *drawbridge.Caller, decided Decision)
}

// Decision is the outcome of [Guard.Decide].
type Decision struct {
	// Denial is not nil if the request is refused.
	Denial *challenge.DenialError
	// Procedure is that of the RPC that was let in. It is empty for a request that
	// passes undecided.
	Procedure string
	// Caller is who calls the procedure.
	Caller drawbridge.Caller
	// Native reports that the response to the RPC will be in an RPC protocol.
	Native bool
	// MayStream reports that the messages of the RPC may outlive the token.
	MayStream bool
}

// IsPreflight reports whether a browser asks which requests it may send (Fetch
// §3.2.2). It sends no credentials with that.
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
