package httpbridge

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
)

const (
	wwwAuthenticate = "Www-Authenticate"
	exposeHeaders   = "Access-Control-Expose-Headers"
)

// Values of header fields that every answer shares. Nobody may change them.
var (
	jsonContent = []string{"application/json"}
	noStore     = []string{"no-store"}
)

// answer is a denial as an HTTP answer.
type answer struct {
	status     int
	challenge  []string // of WWW-Authenticate; nil if there is none
	retryAfter []string // nil if trying again does not help
	length     []string
	body       []byte
}

// answerTo returns the answer for a denial; for those that the Authorizer
// returns again and again, always the same one.
func (b *Bridge) answerTo(denial *interceptor.ChallengeError) *answer {
	if !denial.Prebuilt() {
		return newAnswer(denial)
	}
	if kept, ok := b.answers.Load(denial); ok {
		return kept.(*answer) //nolint:forcetypeassert // Nothing else is ever stored.
	}
	kept, _ := b.answers.LoadOrStore(denial, newAnswer(denial))
	return kept.(*answer) //nolint:forcetypeassert // Nothing else is ever stored.
}

func newAnswer(denial *interceptor.ChallengeError) *answer {
	a := &answer{status: denial.Kind.HTTPStatus(), body: bodyOf(denial)}
	a.length = []string{strconv.Itoa(len(a.body))}
	if denial.Kind.Challenges() {
		a.challenge = []string{denial.Challenge.Header()}
	}
	if seconds := int64((denial.RetryAfter + time.Second - 1) / time.Second); seconds > 0 {
		a.retryAfter = []string{strconv.FormatInt(seconds, 10)}
	}
	return a
}

// bodyOf returns the JSON body: empty without credentials, else the error, a
// sentence, and the service (SEED-2, SEED-3).
func bodyOf(denial *interceptor.ChallengeError) []byte {
	if denial.Kind == interceptor.KindNoCredentials {
		return []byte("{}")
	}
	fields := struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Server      string `json:"server,omitempty"`
	}{denial.Challenge.Error, denial.Error(), denial.Challenge.Realm}
	if fields.Error == "" {
		fields.Error = denial.Kind.String()
	}
	body, err := json.Marshal(fields)
	if err != nil { // Three strings cannot fail.
		return []byte("{}")
	}
	return body
}

// describing are the fields that describe another content than the answer's.
var describing = [...]string{
	"Accept-Ranges", "Age", "Content-Digest", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Location", "Content-Md5", "Content-Range", "Digest", "Etag", "Expires", "Last-Modified", "Location",
	"Refresh", "Repr-Digest", "Retry-After", "Trailer", "Transfer-Encoding", wwwAuthenticate,
}

// replace sends the answer in place of a handler's: what the handler has put into
// the header and would contradict it is removed.
func (a *answer) replace(w http.ResponseWriter, r *http.Request) {
	for _, name := range describing {
		delete(w.Header(), name)
	}
	a.write(w, r)
}

// write sends the answer.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Content-Type"] = jsonContent
	header["Content-Length"] = a.length
	header["Cache-Control"] = noStore
	if a.challenge != nil {
		setChallenge(header, r, a.challenge)
	}
	if a.retryAfter != nil {
		header["Retry-After"] = a.retryAfter
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // The client is gone; nobody is left to tell.
}

// setChallenge sets WWW-Authenticate, and lets a browser read it.
func setChallenge(header http.Header, r *http.Request, challenge []string) {
	header[wwwAuthenticate] = challenge
	if len(r.Header["Origin"]) == 0 {
		return
	}
	for _, exposed := range header[exposeHeaders] {
		if strings.Contains(strings.ToLower(exposed), "www-authenticate") {
			return
		}
	}
	header.Add(exposeHeaders, "WWW-Authenticate")
}

// WriteError writes err as an HTTP answer: the denial in it, with the challenge
// that leads to the resource of the request, or the denial that RPC code met
// while it handled the request. Any other error is a 500 that says nothing.
//
// Errors of connect-go and grpc-go are found through FromError of connectauth
// and grpcauth, or without a further step if the call was made by a client that
// has their client interceptors and the request came through [Bridge.Handler] or
// [Bridge.Protect].
func (b *Bridge) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	recorded := recorder.FromContext(r.Context())
	denial, found := errors.AsType[*interceptor.ChallengeError](err)
	if !found {
		if denial = recorded.Denial(); denial == nil {
			denial = interceptor.DenialOf(err)
		}
	}
	recorded.DismissAll() // It is told here.
	b.answerAt(r, denial).replace(w, r)
}

// answerAt returns the answer to a denial that may come from a backend. Wherever
// it was made, the client needs a token for the resource that it called, so the
// challenge leads to the metadata of that one (RFC 9728 §3.3). And it needs a
// token that gets it as far as the backend again, so the challenge asks for all
// of that at once.
func (b *Bridge) answerAt(r *http.Request, denial *interceptor.ChallengeError) *answer {
	told := &interceptor.ChallengeError{Kind: denial.Kind, Challenge: denial.Challenge, RetryAfter: denial.RetryAfter}
	told.Challenge.ResourceMetadata = b.authorizer.MetadataURL(interceptor.HTTPRequest("", r))
	if len(told.Challenge.Scopes) > 0 {
		passed := recorder.FromContext(r.Context()).Passed()
		told.Challenge.Scopes = b.authorizer.JoinScopes(r.Context(), passed, told.Challenge.Scopes)
	}
	return newAnswer(told)
}
