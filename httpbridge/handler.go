package httpbridge

import (
	"context"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// Handler wraps a server. When RPC code below meets a denial, by connectauth or
// by the relay of connectauth and grpcauth, the response becomes that denial:
// status, challenge and body, in place of the handler's, as long as nothing was
// written. See [Dismiss] for handlers that can do without.
//
// A response in gRPC, gRPC-Web or Connect is never replaced, because its client
// would not understand; it gains the header if the denial is its own. It is in one
// of these protocols if its content type is, or if an RPC handler that connectauth
// guards serves the request, and the content type is none or any application type.
// The header of the request does not matter.
//
// Over HTTP/2, a denial is written when the request has been read to its end, or
// 256 KiB of it, or for half a second: some clients and proxies drop the response to
// a request that they are still sending.
//
// A path of more than 8 KiB is refused with 414 before anything walks it.
func (b *Bridge) Handler(next http.Handler) http.Handler {
	guard, guarded := next.(exchange.Guard)
	return b.outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		switch {
		case isBridged(ctx):
			next.ServeHTTP(w, r)
		case guarded:
			b.serveGuard(w, r, guard)
		default:
			b.translate(newConversation(b, w, ctx, nil), r, next)
		}
	}))
}

// serveGuard does what next.ServeHTTP does under translate, in less time: a
// request that the guard refuses needs no conversation, and the conversation of
// any other carries the caller that the guard lets in.
func (b *Bridge) serveGuard(w http.ResponseWriter, r *http.Request, guard exchange.Guard) {
	decided := guard.Decide(r)
	if decided.Denial != nil {
		if decided.Denial.Reason.Challenges() {
			expose(w.Header(), r)
		}
		guard.Refuse(w, r, decided.Denial)
		return
	}
	c := newConversation(b, w, r.Context(), &decided.Caller)
	c.native = decided.Native
	returned := false
	defer func() { c.finish(returned) }()
	guard.Serve(&c.responseWriter, c.begin(r), &c.caller, decided)
	returned = true
}

// isBridged reports whether another part of a bridge serves the request.
func isBridged(ctx context.Context) bool { return exchange.FromContext(ctx) != nil }

// outermost adds what is done once, by the part of the bridge that a request
// reaches first: the bound of its path, the public metadata documents, and CORS.
func (b *Bridge) outermost(handler http.Handler) http.Handler {
	var shared http.Handler
	if b.cors != nil {
		shared = b.cors.Handler(handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case exchange.RefuseLongPath(w, r), b.serveMetadata(w, r):
		case b.cors == nil || isBridged(r.Context()):
			handler.ServeHTTP(w, r)
		case exchange.IsPreflight(r):
			b.corsFor(r).Handler(handler).ServeHTTP(w, r)
		default:
			shared.ServeHTTP(w, r)
		}
	})
}

// translate serves a request so that denials which are met on the way become
// the response.
func (b *Bridge) translate(c *conversation, r *http.Request, handler http.Handler) {
	returned := false
	defer func() { c.finish(returned) }()
	handler.ServeHTTP(&c.responseWriter, c.begin(r))
	returned = true
}

// Dismiss forgets the denial that a call of a backend returned as err, or as an
// error that err wraps, so that the response of the handler stands. A denial of
// another call that looks alike is not forgotten. It is for handlers that can do
// without the backend. The context is that of the HTTP request, or one made from it.
func Dismiss(ctx context.Context, err error) { exchange.FromContext(ctx).Recorder().Dismiss(err) }
