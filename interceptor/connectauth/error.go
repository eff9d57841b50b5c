package connectauth

import (
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

const wwwAuthenticate = "Www-Authenticate"

// newError returns the error that carries a denial: its code, its sentence, one
// Challenge, and when to try again if that may help.
func newError(denial *interceptor.ChallengeError) *connect.Error {
	err := connect.NewError(connect.Code(denial.Kind.RPCCode()), denial)
	addDetail(err, denial.Challenge.Proto())
	if denial.RetryAfter > 0 {
		addDetail(err, &errdetails.RetryInfo{RetryDelay: durationpb.New(denial.RetryAfter)})
	}
	return err
}

// newErrorWithMeta returns newError with a copy of the challenge in the metadata
// of the error, where that reaches the client. Over gRPC connect-go would send it
// as a trailer, and net/http drops WWW-Authenticate from trailers.
func newErrorWithMeta(denial *interceptor.ChallengeError, protocol string) *connect.Error {
	err := newError(denial)
	if protocol != connect.ProtocolGRPC && denial.Kind.Challenges() {
		err.Meta().Set(wwwAuthenticate, denial.Challenge.Header())
	}
	return err
}

func addDetail(err *connect.Error, message proto.Message) {
	// Marshalling fails on invalid UTF-8 alone. The refusal stands without the
	// detail.
	if detail, detailErr := connect.NewErrorDetail(message); detailErr == nil {
		err.AddDetail(detail)
	}
}

// FromError returns the denial that err carries, whether it was made in this
// process or came from a backend. It reports false if err is no denial of
// drawbridge.
func FromError(err error) (*interceptor.ChallengeError, bool) {
	if denial, ok := errors.AsType[*interceptor.ChallengeError](err); ok {
		return denial, true
	}
	wire, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil, false
	}
	for _, detail := range wire.Details() {
		message, err := detail.Value()
		if err != nil {
			continue
		}
		if challenge, ok := message.(*drawbridgev1.Challenge); ok {
			return interceptor.FromWire(uint32(wire.Code()), challenge), true
		}
	}
	return nil, false
}
