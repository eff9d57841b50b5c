package challenge

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// A Response is a denial as an HTTP response. It is shared, and must not be
// changed.
type Response struct {
	// Status is the HTTP status code.
	Status int
	// Header holds Content-Type, Content-Length and Cache-Control, and, depending
	// on the denial, WWW-Authenticate and Retry-After.
	Header http.Header
	// Body is a JSON object. It is empty for [ReasonNoCredentials]; for any other
	// reason it has error, error_description and, as server, the realm.
	Body []byte

	// fields are those of Header as a list, which is faster to iterate over. It is
	// empty in a Response that newResponse did not make.
	fields []field
}

// field is a header field.
type field struct {
	name   string
	values []string
}

// responseForm keeps the responses of prebuilt denials.
var responseForm = NewForm(newResponse)

// Response returns e as an HTTP response.
func (e *DenialError) Response() *Response { return responseForm.Of(e) }

func newResponse(denial *DenialError) *Response {
	r := &Response{Status: denial.Reason.HTTPStatus(), Header: make(http.Header), Body: bodyOf(denial)}
	r.set("Content-Type", "application/json")
	r.set("Content-Length", strconv.Itoa(len(r.Body)))
	r.set("Cache-Control", "no-store")
	if denial.Reason.Challenges() {
		r.set("Www-Authenticate", denial.Challenge.Header())
	}
	if denial.RetryAfter > 0 {
		seconds := int64((denial.RetryAfter-1)/time.Second) + 1 // rounded up
		r.set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	return r
}

// set adds a header field, whose name is in the canonical form of net/http.
func (r *Response) set(name, value string) {
	values := []string{value}
	r.Header[name] = values
	r.fields = append(r.fields, field{name, values})
}

// bodyOf returns the body that [Response] describes (SEED-2, SEED-3).
func bodyOf(denial *DenialError) []byte {
	if denial.Reason == ReasonNoCredentials {
		return []byte("{}")
	}
	fields := struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Server      string `json:"server,omitempty"`
	}{denial.Challenge.Error, denial.Error(), denial.Challenge.Realm}
	if fields.Error == "" {
		fields.Error = denial.Reason.String()
	}
	body, err := json.Marshal(fields)
	if err != nil { // Three strings cannot fail.
		return []byte("{}")
	}
	return body
}

// Write sends r. Header fields of r replace those of w; w keeps its others.
func (r *Response) Write(w http.ResponseWriter) {
	header := w.Header()
	if r.fields == nil {
		maps.Copy(header, r.Header)
	}
	for i := range r.fields {
		header[r.fields[i].name] = r.fields[i].values
	}
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body) // A failure means that the client is gone.
}
