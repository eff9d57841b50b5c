package grpcauth

import (
	"context"
	"errors"
	"iter"

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
// Challenge detail, and a RetryInfo if trying again may help. Handlers of grpc-go
// return it for a denial of [drawbridge.Authorizer.Check], or for one of their
// own.
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
	header metadata.MD // nil if there is no challenge
}

// refusalForm keeps the refusals of prebuilt denials.
var refusalForm = challenge.NewForm(newRefusal)

// refuse turns a denial into an error of gRPC and puts a copy of the challenge
// into the leading metadata; net/http drops it from trailers.
func refuse(ctx context.Context, denial *challenge.DenialError) error {
	refused := refusalForm.Of(denial)
	if refused.header != nil {
		// It fails outside of a call and after the header was sent. The status
		// is complete without it.
		_ = grpc.SetHeader(ctx, refused.header)
	}
	return refused.errorFor(denial)
}

// errorFor returns the error with the cause of this denial.
func (r *refusal) errorFor(denial *challenge.DenialError) *Error {
	if r.err.denial == denial {
		return r.err
	}
	return &Error{denial: denial, status: r.err.status}
}

func newRefusal(denial *challenge.DenialError) *refusal {
	refused := &refusal{err: &Error{denial: denial, status: newStatus(denial)}}
	if denial.Reason.Challenges() {
		refused.header = metadata.Pairs("www-authenticate", denial.Challenge.Header())
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

func record(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		interceptor.Relay(ctx, denial, err)
	}
}
