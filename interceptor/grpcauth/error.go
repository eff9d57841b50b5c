package grpcauth

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// Error is a denial as grpc-go carries it. errors.As finds the
// [challenge.DenialError] behind it, so that interceptors further out can
// distinguish denials from failures.
type Error struct {
	denial *challenge.DenialError
	status *status.Status
}

// NewError returns the error that carries a denial: its code, its sentence, one
// Challenge detail, a google.rpc.ErrorInfo for clients that do not know a
// Challenge, and a RetryInfo if trying again may help.
//
// A handler that denies a call returns a denial of [drawbridge.Authorizer.Check] or
// [drawbridge.Authorizer.Deny] as it is, wrapped or not: the interceptors of this
// package turn it into that error, and add the challenge to the leading metadata.
func NewError(denial *challenge.DenialError) *Error { return refusalForm.Of(denial).errorFor(denial) }

// Error returns the fixed sentence of the denial.
func (e *Error) Error() string { return e.denial.Error() }

// Unwrap returns the [challenge.DenialError].
func (e *Error) Unwrap() error { return e.denial }

// GRPCStatus returns the status.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// refusal is the part of a denial that is sent.
type refusal struct {
	err    *Error
	header metadata.MD // nil if there is nothing to add to the status
}

// refusalForm keeps the refusals of prebuilt denials.
var refusalForm = challenge.NewForm(newRefusal)

// refuse turns a denial into an error of gRPC and puts a copy of the challenge
// into the leading metadata; net/http drops it from trailers.
func refuse(ctx context.Context, denial *challenge.DenialError) error {
	refused := refusalForm.Of(denial)
	if refused.header != nil {
		// It fails outside of a call and after the header was sent. The status
		// is complete without it. A ServerTransportStream of the server's own may
		// change what it gets.
		_ = grpc.SetHeader(ctx, refused.header.Copy())
	}
	return announced{refused.errorFor(denial)}
}

// announced is an Error whose challenge stands in the leading metadata.
type announced struct{ err *Error }

func (a announced) Error() string              { return a.err.Error() }
func (a announced) Unwrap() error              { return a.err }
func (a announced) GRPCStatus() *status.Status { return a.err.GRPCStatus() }

// errorFor returns the error with the cause of this denial. It is immutable.
func (r *refusal) errorFor(denial *challenge.DenialError) *Error {
	if r.err.denial == denial {
		return r.err
	}
	return &Error{denial: denial, status: r.err.status}
}

func newRefusal(denial *challenge.DenialError) *refusal {
	refused := &refusal{err: &Error{denial: denial, status: newStatus(denial)}}
	header := make(http.Header)
	denial.SetHeader(header)
	for name, values := range header {
		refused.header = metadata.Join(refused.header, metadata.MD{strings.ToLower(name): values})
	}
	return refused
}

func newStatus(denial *challenge.DenialError) *status.Status {
	bare := status.New(codes.Code(denial.Reason.RPCCode()), denial.Error())
	var details []protoadapt.MessageV1
	for message := range interceptor.Details(denial) {
		details = append(details, protoadapt.MessageV1Of(message))
	}
	detailed, err := bare.WithDetails(details...)
	if err != nil {
		return bare // Invalid UTF-8 somewhere. The refusal stands without the details.
	}
	return detailed
}

// returned returns the error of a handler as grpc-go has to send it: for a denial,
// that of [NewError], with a copy of the challenge in the leading metadata. A
// handler may give a denial a status of its own.
func returned(ctx context.Context, err error) error {
	denial, ok := errors.AsType[*challenge.DenialError](err)
	if !ok || hasOwnStatus(err) {
		return err
	}
	if _, ok := errors.AsType[announced](err); ok {
		return announced{NewError(denial)}
	}
	return refuse(ctx, denial)
}

// hasOwnStatus reports whether err itself has a status that is none of this
// package. That of an error which err wraps does not count, because it may be that
// of the cause of a denial.
func hasOwnStatus(err error) bool {
	switch err.(type) { //nolint:errorlint // See above.
	case *Error, announced:
		return false
	case interface{ GRPCStatus() *status.Status }:
		return true
	default:
		return false
	}
}

// FromError returns the denial that err carries: one that was made in this
// process, or one that a backend sent, whose Remote field is then true. It
// reports false if err is no denial of drawbridge.
func FromError(err error) (*challenge.DenialError, bool) {
	if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
		return denial, true
	}
	wire, ok := status.FromError(err)
	if !ok {
		return nil, false
	}
	return interceptor.FindDenial(err, uint32(wire.Code()), details(wire))
}

func details(wire *status.Status) iter.Seq[proto.Message] {
	return func(yield func(proto.Message) bool) {
		for _, detail := range wire.Details() {
			if message, ok := detail.(proto.Message); ok && !yield(message) {
				return
			}
		}
	}
}
