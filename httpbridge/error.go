package httpbridge

import (
	"errors"
	"io"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/drain"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// WriteError writes err as an HTTP response: the denial in it, with the challenge
// that leads to the resource of the request, or the denial that RPC code met
// while it handled the request. Any other error is a 500 that says nothing.
//
// Errors of connect-go and grpc-go are found through FromError of connectauth
// and grpcauth, or without a further step if the call was made by a client that
// has their relay and the request came through [Bridge.Handler] or
// [Bridge.Protect].
//
// A denial in err is written as it is. That of a backend which was called with a
// token of the server's own may say invalid_token, and the caller would discard a
// good one; a relay passes on only what the caller can mend.
func (b *Bridge) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	recorder := exchange.FromContext(r.Context()).Recorder()
	denial, found := errors.AsType[*challenge.DenialError](err)
	if !found {
		if denial = recorder.Denial(); denial == nil {
			denial = challenge.DenialOf(err)
		}
	}
	recorder.DismissAll() // This is the response to it.
	replaceWith(w, r, r.Body, b.localize(r, denial))
}

// localize returns the denial as the client of r has to see it. Wherever it was
// made, the client needs a token for the resource that it called, so the
// challenge leads to the metadata of that one (RFC 9728 §3.3). And the token has
// to get the client as far as the backend again, so the challenge asks for all
// scopes of the way at once.
func (b *Bridge) localize(r *http.Request, denial *challenge.DenialError) *challenge.DenialError {
	req := drawbridge.HTTPRequest(r)
	metadataURL := b.adapter.MetadataURL(r.Context(), &req)
	scopes := denial.Challenge.Scopes
	if len(scopes) > 0 {
		scopes = b.adapter.Caller(r.Context()).JoinScopes(scopes, "")
	}
	if metadataURL == denial.Challenge.ResourceMetadataURL && len(scopes) == len(denial.Challenge.Scopes) {
		return denial
	}
	local := *denial
	local.Challenge.ResourceMetadataURL = metadataURL
	local.Challenge.Scopes = scopes
	return &local
}

// describing lists the header fields that describe the handler's body, not ours.
var describing = [...]string{
	"Accept-Ranges", "Age", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Location", "Content-Md5", "Content-Range", "Digest", "Etag", "Expires", "Last-Modified", "Location",
	"Refresh", "Repr-Digest", "Retry-After", "Trailer", "Transfer-Encoding", wwwAuthenticate,
}

// replaceWith writes a denial in place of a handler's response: header fields of
// the handler that would contradict it are removed.
func replaceWith(w http.ResponseWriter, r *http.Request, body io.Reader, denial *challenge.DenialError) {
	for _, name := range describing {
		delete(w.Header(), name)
	}
	writeDenial(w, r, body, denial)
}

// writeDenial writes a denial, and lets a browser read its challenge. It reads the
// body of the request first.
func writeDenial(w http.ResponseWriter, r *http.Request, body io.Reader, denial *challenge.DenialError) {
	if denial.Reason.Challenges() {
		expose(w.Header(), r)
	}
	rest := drain.Read(w, r, body)
	denial.Response().Write(w)
	rest.Linger()
}
