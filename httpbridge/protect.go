package httpbridge

import (
	"context"
	"errors"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// Protect guards any handler by the rule of a service. Each request is
// authorized; a session or a cookie is no credential. The handler finds the
// caller with token.FromContext; one that streams for long ends by itself when
// the token expires. It also runs as under [Bridge.Handler]: denials from nested
// RPCs become the response.
//
// Where the path below the resource is exactly that of a procedure of the service,
// "/service/Method", the rule of the method decides instead. On any other path that
// ends in a procedure of a known service, or would for a lenient router further in,
// the request has to meet both rules. A path of more than 8 KiB is refused with 414.
//
// Under a public rule of the service, a request that arrived on a loopback address is
// refused with 403 if its Host is neither a loopback name nor that of a resource: a
// page may have come here by DNS rebinding, as a request of its own origin. Other
// requests may have any Host.
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
			writeDenial(w, r, r.Body, denial)
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
	if denial := b.decide(ctx, req, &caller); denial != nil {
		writeDenial(w, r, r.Body, denial)
		return
	}
	if caller.IsAnonymous() && req.Procedure == "" && b.isRebound(r) {
		denial := b.adapter.Refuse(ctx, req, challenge.ReasonForbiddenOrigin, errRebound)
		writeDenial(w, r, r.Body, denial)
		return
	}
	if outer := exchange.FromContext(ctx); outer != nil {
		handler.ServeHTTP(w, r.WithContext(within(ctx, outer, caller)))
		return
	}
	b.translate(newConversation(b, w, ctx, &caller), r, handler)
}

// decide applies every rule that a request has to meet.
func (b *Bridge) decide(ctx context.Context, req *drawbridge.Request, caller *drawbridge.Caller) *challenge.DenialError {
	if exchange.HasOneSegment(req.Path) {
		return b.adapter.Decide(ctx, req, caller)
	}
	adapter := b.adapter.Pin(ctx)
	onTheWay := exchange.OnTheWay(adapter, req.Path)
	if len(onTheWay) == 0 {
		return adapter.Decide(ctx, req, caller)
	}
	if procedure, known := exchange.ProcedureOf(ctx, adapter, req); known && req.RawPath == "" {
		if service, _, _ := rpc.CutProcedure(procedure); service == req.Service {
			req.Procedure = procedure
			return adapter.Decide(ctx, req, caller)
		}
	}
	if denial := adapter.Decide(ctx, req, caller); denial != nil {
		return denial
	}
	for _, procedure := range onTheWay {
		if denial := decideFurther(ctx, adapter, req, caller, procedure); denial != nil {
			return denial
		}
	}
	return nil
}

// decideFurther applies the rule of a procedure to a request that another rule let
// in. If that one is public, the token was not verified.
func decideFurther(ctx context.Context, adapter drawbridge.Adapter, req *drawbridge.Request, caller *drawbridge.Caller, procedure string) *challenge.DenialError {
	if caller.IsAnonymous() {
		further := *req
		further.Procedure = procedure
		return adapter.Decide(ctx, &further, caller)
	}
	denial, _ := errors.AsType[*challenge.DenialError](caller.Check(ctx, procedure))
	return denial
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
