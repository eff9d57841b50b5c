package interceptor_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// This file is a third adapter, for a toy framework in the manner of Twirp: an RPC
// is a POST of JSON, and a stream a sequence of JSON values. The adapter uses
// nothing that another module could not use. It is the code from toyServer on.

// toyMethod is the handler of a procedure.
type toyMethod func(ctx context.Context, in json.RawMessage, send func(out any) error) error

// toyError is the error of the framework, in a process and on the wire.
type toyError struct {
	Code    uint32            `json:"code"`
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details,omitempty"`
	cause   error
}

func (e *toyError) Error() string { return e.Message }
func (e *toyError) Unwrap() error { return e.cause }

// toyServer guards the methods of a server.
type toyServer struct {
	adapter drawbridge.Adapter
	methods map[string]toyMethod
}

func (s *toyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := drawbridge.HTTPRequest(r)
	req.Procedure = r.URL.Path
	ctx, denial := s.adapter.Authorize(r.Context(), &req)
	interceptor.Answer(r.Context(), req.Procedure, denial)
	if denial != nil {
		writeToyError(w, denial)
		return
	}
	var expiry interceptor.Expiry
	expiry.Start(ctx, s.adapter.Caller(ctx), req.Procedure)
	send := func(out any) error {
		if denial := expiry.Check(); denial != nil {
			return newToyError(denial)
		}
		return json.NewEncoder(w).Encode(out)
	}
	in, err := io.ReadAll(r.Body)
	if method := s.methods[req.Procedure]; err == nil && method != nil {
		err = method(ctx, in, send)
	}
	if err != nil {
		writeToyError(w, challenge.DenialOf(err))
	}
}

func writeToyError(w http.ResponseWriter, denial *challenge.DenialError) {
	if denial.Reason.Challenges() {
		w.Header().Set("WWW-Authenticate", denial.Challenge.Header())
	}
	w.WriteHeader(denial.Reason.HTTPStatus())
	body, _ := json.Marshal(newToyError(denial)) //nolint:errchkjson // The details are JSON.
	_, _ = w.Write(body)
}

func newToyError(denial *challenge.DenialError) *toyError {
	e := &toyError{Code: denial.Reason.RPCCode(), Message: denial.Error(), cause: denial}
	for message := range interceptor.Details(denial) {
		if detail, err := anypb.New(message); err == nil {
			text, _ := protojson.Marshal(detail)
			e.Details = append(e.Details, text)
		}
	}
	return e
}

// toyFromError returns the denial that an error of a client or a handler carries.
func toyFromError(err *toyError) (*challenge.DenialError, bool) {
	return interceptor.FindDenial(err, err.Code, err.messages())
}

func (e *toyError) messages() iter.Seq[proto.Message] {
	return func(yield func(proto.Message) bool) {
		for _, text := range e.Details {
			var detail anypb.Any
			if protojson.Unmarshal(text, &detail) != nil {
				continue
			}
			if message, err := detail.UnmarshalNew(); err == nil && !yield(message) {
				return
			}
		}
	}
}
