package httpbridge

import (
	"context"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

// Protect guards any handler by the rule of a service. Each request is
// authorised; a session or a cookie is no credential. The handler finds the
// caller with [interceptor.TokenInfoFromContext]; one that streams for long ends
// by itself when the token expires. It also runs as under
// [Bridge.Handler]: what it meets of denials is told to the client.
//
// A service that the policy does not know is denied, like everywhere. The path
// of the request selects the resource, so a handler that strips a prefix goes
// inside: Protect(service, http.StripPrefix(…)).
func (b *Bridge) Protect(service string, handler http.Handler) http.Handler {
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case b.foreign(r):
			refusal := b.authorizer.Refuse(r.Context(), interceptor.HTTPRequest(service, r), interceptor.KindForbiddenOrigin, nil)
			b.answerTo(interceptor.DenialOf(refusal)).write(w, r)
		case isPreflight(r):
			// Browsers send no credentials with it, and nothing is behind it.
			w.WriteHeader(http.StatusNoContent)
		default:
			b.authorize(w, r, service, handler)
		}
	})
	return b.outermost(guarded)
}

func (b *Bridge) authorize(w http.ResponseWriter, r *http.Request, service string, handler http.Handler) {
	ctx, err := b.authorizer.AuthorizeContext(r.Context(), interceptor.HTTPRequest(service, r))
	if err != nil {
		b.answerTo(interceptor.DenialOf(err)).write(w, r)
		return
	}
	b.translate(ctx, w, r, handler)
}

// Handler wraps a server. When RPC code below meets a denial, by connectauth or
// by the client interceptors of connectauth and grpcauth, the answer becomes
// that denial: status, challenge and body, instead of whatever the handler made
// of it, as long as nothing was written. See [Dismiss] for handlers that can do
// without.
//
// Answers in gRPC, gRPC-Web and Connect are never rewritten, for their clients
// would not understand; they gain the header, where the denial is their own.
func (b *Bridge) Handler(next http.Handler) http.Handler {
	return b.outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.translate(r.Context(), w, r, next)
	}))
}

// outermost adds what is done once, by whichever part of the bridge a request
// reaches first: the metadata documents, which everybody may read, and CORS.
func (b *Bridge) outermost(handler http.Handler) http.Handler {
	first := handler
	if b.cors != nil {
		first = b.cors.Handler(handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case b.serveMetadata(w, r):
		case b.cors != nil && recorder.FromContext(r.Context()) != nil:
			handler.ServeHTTP(w, r) // below another part of the bridge
		default:
			first.ServeHTTP(w, r)
		}
	})
}

// translate serves a request so that denials which are met on the way become
// the answer.
func (b *Bridge) translate(ctx context.Context, w http.ResponseWriter, r *http.Request, handler http.Handler) {
	if recorder.FromContext(ctx) != nil {
		if ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		handler.ServeHTTP(w, r)
		return
	}
	translating := newResponseWriter(b, w)
	translating.request = r.WithContext(recorder.NewContext(ctx, translating.recorder))
	returned := false
	defer func() { translating.finish(returned) }()
	handler.ServeHTTP(translating, translating.request)
	returned = true
}

// Dismiss forgets the denial that a call of a backend returned as err, so that the
// answer of the handler stands. It is for handlers that can do without the
// backend. The context is that of the HTTP request, or one made from it.
func Dismiss(ctx context.Context, err error) { recorder.FromContext(ctx).Dismiss(err) }
