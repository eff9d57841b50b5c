// Package interceptor holds what adapters share. It is for authors of adapters
// for further RPC frameworks; users of connect-go and grpc-go need only
// connectauth and grpcauth.
//
// An adapter turns a call into a [drawbridge.Request], passes it to a
// [drawbridge.Adapter], and turns a denial into an error of its framework. This
// package has the rest:
//
//   - [Details] returns the messages that the error carries, and [FindDenial]
//     finds the denial in an error on the other side.
//   - [Expiry] ends a stream when the caller's token expires.
//   - [Answer], [RelayConfig] and [Outgoing] connect the adapter with the HTTP
//     bridge.
package interceptor

import (
	"context"
	"errors"
	"iter"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// Details iterates over the error details of a denial: one Challenge (RPC-3), a
// google.rpc.ErrorInfo with the same for clients that do not know a Challenge, and
// a RetryInfo if a retry may help. The reason of the ErrorInfo is the name of the
// reason in upper case, such as INSUFFICIENT_SCOPE, its domain [ErrorDomain], and
// its metadata service, scopes (separated by spaces) and resource_metadata.
func Details(denial *challenge.DenialError) iter.Seq[proto.Message] {
	return func(yield func(proto.Message) bool) {
		if yield(denial.Challenge.Proto()) && yield(errorInfo(denial)) && denial.RetryAfter > 0 {
			yield(&errdetails.RetryInfo{RetryDelay: durationpb.New(denial.RetryAfter)})
		}
	}
}

// FindDenial returns the denial that err carries: one of this process, or the
// first Challenge among the details of a status that came over the wire. The
// denial's Remote field distinguishes them. The details may be nil.
func FindDenial(err error, code uint32, details iter.Seq[proto.Message]) (*challenge.DenialError, bool) {
	if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
		return denial, true
	}
	if details == nil {
		return nil, false
	}
	for detail := range details {
		if c, ok := detail.(*drawbridgev1.Challenge); ok {
			return challenge.FromProto(code, c), true
		}
	}
	return nil, false
}

// Answer records that the handler of a procedure responds to the HTTP request of
// ctx in an RPC protocol, with a denial that may be nil. The bridge then leaves
// the response as it is, except that it adds the challenge of the denial to the
// header. Answer reports whether there is a bridge; outside of one it does
// nothing.
func Answer(ctx context.Context, procedure string, denial *challenge.DenialError) bool {
	e := exchange.FromContext(ctx)
	if e != nil {
		e.Native.Claim(procedure, denial)
	}
	return e != nil
}

// Relay records a denial that a backend returned as err, so that it becomes the
// response of the bridge around the caller. Outside of a bridge, Relay does
// nothing. It passes on every reason; see [RelayConfig.Relay].
func Relay(ctx context.Context, denial *challenge.DenialError, err error) {
	exchange.FromContext(ctx).Recorder().Deny(denial, err)
}

// Outgoing returns the context for a call to a backend. It hides the bridge from
// a server that runs in the same process and receives the context: the response
// of that server is not the response to the HTTP request.
func Outgoing(ctx context.Context) context.Context {
	if exchange.FromContext(ctx) == nil {
		return ctx
	}
	return exchange.NewContext(ctx, nil)
}
