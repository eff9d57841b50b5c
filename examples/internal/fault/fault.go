// Package fault holds the errors of the example services. connect-go and grpc-go
// understand the same value, so that a service has one implementation.
package fault

import (
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// An Error is the error of a service: a code of the RPC and a sentence for the
// caller. connect-go finds a [connect.Error] in it, and grpc-go a [status.Status];
// both use the same codes.
type Error struct {
	code    connect.Code
	message string
}

// InvalidArgument returns the error of a request that is invalid in any state.
func InvalidArgument(format string, args ...any) *Error {
	return &Error{connect.CodeInvalidArgument, fmt.Sprintf(format, args...)}
}

// NotFound returns the error of a request for something that does not exist.
func NotFound(format string, args ...any) *Error {
	return &Error{connect.CodeNotFound, fmt.Sprintf(format, args...)}
}

// FailedPrecondition returns the error of a request that the current state does not
// allow.
func FailedPrecondition(format string, args ...any) *Error {
	return &Error{connect.CodeFailedPrecondition, fmt.Sprintf(format, args...)}
}

// ResourceExhausted returns the error of a request that exceeds a limit.
func ResourceExhausted(format string, args ...any) *Error {
	return &Error{connect.CodeResourceExhausted, fmt.Sprintf(format, args...)}
}

// Code returns the code of the RPC.
func (e *Error) Code() connect.Code { return e.code }

// Error returns the sentence for the caller.
func (e *Error) Error() string { return e.message }

// Unwrap returns the error of connect-go.
func (e *Error) Unwrap() error { return connect.NewError(e.code, errors.New(e.message)) }

// GRPCStatus returns the status of grpc-go.
func (e *Error) GRPCStatus() *status.Status { return status.New(codes.Code(e.code), e.message) }
