package challenge

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// A Response is a denial as an HTTP response; [DenialError.Response] returns it. It
// is immutable and safe for concurrent use: what its methods return or write is
// the receiver's own.
type Response struct {
	status int
	fields []field
	body   string
}

// field is a header field, whose name is in the canonical form of net/http.
type field struct{ name, value string }

// responseForm keeps the responses of prebuilt denials.
var responseForm = NewForm(newResponse)

// Response returns e as an HTTP response.
func (e *DenialError) Response() *Response { return responseForm.Of(e) }

func newResponse(denial *DenialError) *Response {
	body := bodyOf(denial)
	fields := []field{
		{"Content-Type", "application/json"},
		{"Content-Length", strconv.Itoa(len(body))},
		{"Cache-Control", "no-store"},
	}
	return &Response{status: denial.Reason.HTTPStatus(), fields: append(fields, accompanying(denial)...), body: body}
}

// accompanyingForm keeps the fields of prebuilt denials.
var accompanyingForm = NewForm(accompanying)

// accompanying returns the header fields that state a denial in every protocol.
func accompanying(denial *DenialError) []field {
	var fields []field
	if denial.Reason.Challenges() {
		fields = append(fields, field{"Www-Authenticate", denial.Challenge.Header()})
	}
	if nonce := denial.Challenge.Nonce; isWireValue(nonce) {
		fields = append(fields, field{"Dpop-Nonce", nonce})
	}
	if denial.RetryAfter > 0 {
		seconds := int64((denial.RetryAfter-1)/time.Second) + 1 // rounded up
		fields = append(fields, field{"Retry-After", strconv.FormatInt(seconds, 10)})
	}
	return fields
}

// SetHeader sets the fields of header that state e beside the error of an RPC
// protocol: WWW-Authenticate if the reason of e challenges the caller, DPoP-Nonce if
// its challenge has a nonce, and Retry-After if a retry may help. [Response.Write] sets
// them too.
func (e *DenialError) SetHeader(header http.Header) { set(header, accompanyingForm.Of(e)) }

// set sets fields of header to values of their own, all in one allocation: a
// middleware may change them in place.
func set(header http.Header, fields []field) {
	values := make([]string, len(fields))
	for i := range fields {
		values[i] = fields[i].value
		header[fields[i].name] = values[i : i+1 : i+1]
	}
}

// bodyOf returns the body that [Response.Body] describes (SEED-2, SEED-3).
func bodyOf(denial *DenialError) string {
	if denial.Reason == ReasonNoCredentials {
		return "{}"
	}
	fields := struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Server      string `json:"server,omitempty"`
		ACRValues   string `json:"acr_values,omitempty"`
		MaxAge      *int64 `json:"max_age,omitempty"`
	}{denial.Challenge.Error, denial.Error(), denial.Challenge.Realm, joinTokens(denial.Challenge.ACRValues), denial.Challenge.maxAge()}
	if fields.Error == "" {
		fields.Error = denial.Reason.String()
	}
	body, err := json.Marshal(fields)
	if err != nil { // Strings and a number cannot fail.
		return "{}"
	}
	return string(body)
}

// Status returns the HTTP status code.
func (r *Response) Status() int { return r.status }

// Header returns Content-Type, Content-Length and Cache-Control, and, depending on
// the denial, WWW-Authenticate, DPoP-Nonce and Retry-After.
func (r *Response) Header() http.Header {
	header := make(http.Header, len(r.fields))
	set(header, r.fields)
	return header
}

// Body returns a JSON object. It is empty for [ReasonNoCredentials]; for any other
// reason it has error, error_description and, as server, the realm, and what else
// the challenge says of the user's authentication: acr_values, separated by spaces as
// in the header, and max_age, a number of seconds (RFC 9470 §3).
func (r *Response) Body() string { return r.body }

// Write sends r. Header fields of r replace those of w; w keeps its others.
func (r *Response) Write(w http.ResponseWriter) {
	set(w.Header(), r.fields)
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body) // A failure means that the client is gone.
}
