package connectauth

import (
	"errors"
	"iter"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

const wwwAuthenticate = "Www-Authenticate"

// NewError returns the error that carries a denial: its code, its sentence, one
// Challenge detail, and a RetryInfo if trying again may help. Handlers of
// connect-go return it for a denial of [drawbridge.Authorizer.Check], or for one
// of their own. errors.As finds the denial in it.
func NewError(denial *challenge.DenialError) *connect.Error {
	err := connect.NewError(connect.Code(denial.Reason.RPCCode()), denial)
	for message := range interceptor.Details(denial) {
		// Marshalling fails on invalid UTF-8 alone. The refusal stands without
		// the detail.
		if detail, detailErr := connect.NewErrorDetail(message); detailErr == nil {
			err.AddDetail(detail)
		}
	}
	return err
}

// newErrorWithMeta returns NewError with a copy of the challenge in the metadata
// of the error, where that reaches the client. Over gRPC connect-go would send it
// as a trailer, and net/http drops WWW-Authenticate from trailers.
func newErrorWithMeta(denial *challenge.DenialError, protocol string) *connect.Error {
	err := NewError(denial)
	if protocol != connect.ProtocolGRPC {
		setChallenge(err.Meta(), denial)
	}
	return err
}

// FromError returns the denial that err carries: one that was made in this
// process, or one that a backend sent, whose Remote field is then true. It
// reports false if err is no denial of drawbridge.
func FromError(err error) (*challenge.DenialError, bool) {
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
