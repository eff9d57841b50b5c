package connectauth

import (
	"errors"
	"iter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

const wwwAuthenticate = "Www-Authenticate"

// NewError returns the error that carries a denial: its code, its sentence, one
// Challenge detail, a google.rpc.ErrorInfo for clients that do not know a
// Challenge, and a RetryInfo if trying again may help. Its metadata has a copy of
// the challenge, which Connect sends in the header of a unary call and at the end
// of a stream. errors.As finds the denial in it.
//
// A handler that denies a call returns a denial of [drawbridge.Authorizer.Check] or
// [drawbridge.Authorizer.Deny] as it is, wrapped or not: connect-go sends it as the
// error of NewError, because errors.As finds that in it.
func NewError(denial *challenge.DenialError) *connect.Error {
	err := newError(denial)
	denial.SetHeader(err.Meta())
	return err
}

//nolint:gochecknoinits // It connects two packages of which one must not import the other.
func init() { challenge.RegisterError(NewError) }

// newError is NewError without the metadata. The challenge of the denial is in the
// header already.
func newError(denial *challenge.DenialError) *connect.Error {
	err := connect.NewError(connect.Code(denial.Reason.RPCCode()), denial)
	for _, detail := range detailsForm.Of(denial) {
		err.AddDetail(detail)
	}
	return err
}

// detailsForm keeps the details of prebuilt denials. They are immutable.
var detailsForm = challenge.NewForm(newDetails)

func newDetails(denial *challenge.DenialError) []*connect.ErrorDetail {
	var found []*connect.ErrorDetail
	for message := range interceptor.Details(denial) {
		// The bytes of a denial are always the same. Marshalling fails on invalid
		// UTF-8 alone; the refusal stands without the detail.
		packed := new(anypb.Any)
		if anypb.MarshalFrom(packed, message, proto.MarshalOptions{Deterministic: true}) != nil {
			continue
		}
		if detail, detailErr := connect.NewErrorDetail(packed); detailErr == nil {
			found = append(found, detail)
		}
	}
	return found
}

// newErrorOver returns NewError, with metadata only where it reaches the client:
// over gRPC connect-go would send it as trailers, and net/http drops
// WWW-Authenticate from trailers.
func newErrorOver(protocol string, denial *challenge.DenialError) *connect.Error {
	if protocol == connect.ProtocolGRPC {
		return newError(denial)
	}
	return NewError(denial)
}

// FromError returns the denial that err carries: one that was made in this
// process, or one that a backend sent, whose Remote field is then true. It
// reports false if err is no denial of drawbridge.
func FromError(err error) (*challenge.DenialError, bool) {
	if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
		return denial, true
	}
	wire, _ := errors.AsType[*connect.Error](err)
	return interceptor.FindDenial(err, uint32(connect.CodeOf(err)), details(wire))
}

func details(err *connect.Error) iter.Seq[proto.Message] {
	return func(yield func(proto.Message) bool) {
		if err == nil {
			return
		}
		for _, detail := range err.Details() {
			if message, err := detail.Value(); err == nil && !yield(message) {
				return
			}
		}
	}
}
