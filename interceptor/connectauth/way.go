package connectauth

import (
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// denyOnTheWay decides about a path that ends in a known procedure, as it is or
// as routers clean it. It returns the denial of the first rule that refuses the
// request. A path like that is let in by nothing of this, so a message that is not known
// yet is left to what decides further in.
func denyOnTheWay(adapter drawbridge.Adapter, r *http.Request, req *drawbridge.Request) *challenge.DenialError {
	for _, procedure := range exchange.OnTheWay(adapter, r.URL.Path) {
		req.Procedure, req.MessageFollows = procedure, true
		var caller drawbridge.Caller
		if denial := adapter.Decide(r.Context(), req, &caller); denial != nil {
			return denial
		}
	}
	return nil
}
