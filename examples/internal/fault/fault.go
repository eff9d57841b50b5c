// Package fault holds the errors of the example services. One value serves
// connect-go and grpc-go alike, so that a service has one implementation.
package fault

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An Error is what a service tells its caller: a code of the RPC and a
// sentence. connect-go finds a [connect.Error] in it, grpc-go a
// [status.Status]; the two count their codes alike.
type Error struct {
	code    connect.Code
	message string
}

// InvalidArgument says that the request cannot be right, whatever is in stock.
func InvalidArgument(format string, args ...any) *Error {
	return &Error{connect.CodeInvalidArgument, fmt.Sprintf(format, args...)}
}

// NotFound says that the request names something that does not exist.
func NotFound(format string, args ...any) *Error {
	return &Error{connect.CodeNotFound, fmt.Sprintf(format, args...)}
}

// FailedPrecondition says that the request does not fit the present state.
func FailedPrecondition(format string, args ...any) *Error {
	return &Error{connect.CodeFailedPrecondition, fmt.Sprintf(format, args...)}
}

// ResourceExhausted says that the request goes beyond a limit.
func ResourceExhausted(format string, args ...any) *Error {
	return &Error{connect.CodeResourceExhausted, fmt.Sprintf(format, args...)}
}

// Code is the code of the RPC.
func (e *Error) Code() connect.Code { return e.code }

// Error is the sentence for the caller.
func (e *Error) Error() string { return e.message }

// Unwrap is where connect-go finds its error.
func (e *Error) Unwrap() error { return connect.NewError(e.code, errors.New(e.message)) }

// GRPCStatus is where grpc-go finds its status.
func (e *Error) GRPCStatus() *status.Status { return status.New(codes.Code(e.code), e.message) }
