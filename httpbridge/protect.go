package httpbridge

import (
	"context"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// Protect guards any handler by the rule of a service. Each request is
// authorized; a session or a cookie is no credential. The handler finds the
// caller with token.FromContext; one that streams for long ends by itself when
// the token expires. It also runs as under [Bridge.Handler]: denials from nested
// RPCs become the response.
//
// A service without a rule is denied. The path of the request selects the
// resource, so a handler that strips a prefix goes inside:
// Protect(service, http.StripPrefix(…)).
func (b *Bridge) Protect(service string, handler http.Handler) http.Handler {
	return b.outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := drawbridge.HTTPRequest(r)
		req.Service = service
		switch {
		case b.isForeign(r):
			denial := b.adapter.Refuse(r.Context(), &req, challenge.ReasonForbiddenOrigin, nil)
			writeDenial(w, r, denial)
		case exchange.IsPreflight(r):
			// Browsers send no credentials with it, and it reaches no handler.
			w.WriteHeader(http.StatusNoContent)
		default:
			b.authorize(w, r, &req, handler)
		}
	}))
}

func (b *Bridge) authorize(w http.ResponseWriter, r *http.Request, req *drawbridge.Request, handler http.Handler) {
	ctx := r.Context()
	var caller drawbridge.Caller
	if denial := b.adapter.Decide(ctx, req, &caller); denial != nil {
		writeDenial(w, r, denial)
		return
	}
	if outer := exchange.FromContext(ctx); outer != nil {
		handler.ServeHTTP(w, r.WithContext(within(ctx, outer, caller)))
		return
	}
	b.translate(newConversation(b, w, ctx, &caller), r, handler)
}

// within returns the context for a handler that another part of a bridge serves
// further out: the challenge of a denial that the handler meets asks for the scopes
// of this caller's requirement, too.
func within(ctx context.Context, outer *exchange.Exchange, caller drawbridge.Caller) context.Context {
	return exchange.NewContext(caller.NewContext(ctx), &exchange.Exchange{
		Denials: outer.Denials.Within(func(scopes []string) []string { return caller.JoinScopes(scopes, "") }),
		Native:  outer.Native,
		Output:  outer.Output,
	})
}
