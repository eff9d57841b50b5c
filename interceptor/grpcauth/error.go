package grpcauth

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/recorder"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// Error is a denial as grpc-go carries it. errors.As finds the
// [interceptor.ChallengeError] behind it, so that interceptors further out can
// tell denials from failures.
type Error struct {
	denial *interceptor.ChallengeError
	status *status.Status
}

// Error returns the fixed sentence of the denial.
func (e *Error) Error() string { return e.denial.Error() }

// Unwrap returns the [interceptor.ChallengeError].
func (e *Error) Unwrap() error { return e.denial }

// GRPCStatus returns the status: code, sentence, and one Challenge detail.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// refusal is a denial with all that is sent of it.
type refusal struct {
	err    error
	header metadata.MD // nil if there is no challenge
}

// refusals keeps the refusals of denials that the Authorizer returns again and
// again, by their address. Their number is bounded; see
// [interceptor.ChallengeError.Prebuilt].
type refusals struct{ prebuilt sync.Map }

// refuse turns a denial into an error of gRPC and leaves a copy of the challenge
// in the leading metadata; in trailers net/http would drop it.
func (r *refusals) refuse(ctx context.Context, err error) error {
	refused := r.of(interceptor.DenialOf(err))
	if refused.header != nil {
		// It fails outside of a call and after the header was sent. The status
		// says it all the same.
		_ = grpc.SetHeader(ctx, refused.header)
	}
	return refused.err
}

func (r *refusals) of(denial *interceptor.ChallengeError) *refusal {
	if !denial.Prebuilt() {
		return newRefusal(denial)
	}
	if kept, ok := r.prebuilt.Load(denial); ok {
		return kept.(*refusal) //nolint:forcetypeassert // Nothing else is ever stored.
	}
	kept, _ := r.prebuilt.LoadOrStore(denial, newRefusal(denial))
	return kept.(*refusal) //nolint:forcetypeassert // Nothing else is ever stored.
}

func newRefusal(denial *interceptor.ChallengeError) *refusal {
	refused := &refusal{err: &Error{denial: denial, status: newStatus(denial)}}
	if denial.Kind.Challenges() {
		refused.header = metadata.Pairs("www-authenticate", denial.Challenge.Header())
	}
	return refused
}

func newStatus(denial *interceptor.ChallengeError) *status.Status {
	bare := status.New(codes.Code(denial.Kind.RPCCode()), denial.Error())
	details := []protoadapt.MessageV1{protoadapt.MessageV1Of(denial.Challenge.Proto())}
	if denial.RetryAfter > 0 {
		details = append(details, protoadapt.MessageV1Of(&errdetails.RetryInfo{RetryDelay: durationpb.New(denial.RetryAfter)}))
	}
	detailed, err := bare.WithDetails(details...)
	if err != nil {
		return bare // Invalid UTF-8 somewhere. The refusal stands without the details.
	}
	return detailed
}

// FromError returns the denial that err carries, whether it was made in this
// process or came from a backend. It reports false if err is no denial of
// drawbridge.
func FromError(err error) (*interceptor.ChallengeError, bool) {
	if denial, ok := errors.AsType[*interceptor.ChallengeError](err); ok {
		return denial, true
	}
	wire, ok := status.FromError(err)
	if !ok {
		return nil, false
	}
	for _, detail := range wire.Details() {
		if challenge, ok := detail.(*drawbridgev1.Challenge); ok {
			return interceptor.FromWire(uint32(wire.Code()), challenge), true
		}
	}
	return nil, false
}

func record(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if denial, ok := FromError(err); ok {
		recorder.FromContext(ctx).Deny(denial, err)
	}
}
