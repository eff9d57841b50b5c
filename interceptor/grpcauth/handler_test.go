package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// failing are options for a server whose handlers return the error that fail makes,
// unless it is nil.
func failing(fail func(context.Context) error) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := fail(ctx); err != nil {
				return "ignored", err
			}
			return handler(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := fail(stream.Context()); err != nil {
				return err
			}
			return handler(srv, stream)
		}),
	}
}

// statusError is an error of a handler with a status of its own.
type statusError struct{ error }

func (e statusError) Unwrap() error            { return e.error }
func (statusError) GRPCStatus() *status.Status { return status.New(codes.Aborted, "busy") }

// TestDenialOfHandler: a handler returns a denial of Check or Deny as it is, or
// wrapped, and the client gets that denial, with one copy of the challenge in the
// leading metadata (RPC-3, RPC-7, RPC-10).
func TestDenialOfHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	for _, row := range []struct {
		name, service, token string
		fail                 func(context.Context) error
		want                 challenge.Reason
		code                 codes.Code
	}{
		{"let in", rpctest.GuardedService, tokenGood, func(ctx context.Context) error { return w.Check(ctx, guarded) }, 0, codes.OK},
		{"no token behind a public rule", rpctest.PublicService, "", func(ctx context.Context) error { return w.Check(ctx, guarded) }, challenge.ReasonNoCredentials, codes.Unauthenticated},
		{"no rule", rpctest.GuardedService, tokenGood, func(ctx context.Context) error { return w.Check(ctx, "/a.v1.A/Get") }, challenge.ReasonNotFound, codes.Unimplemented},
		{"wrapped", rpctest.PublicService, "", func(ctx context.Context) error {
			return fmt.Errorf("order %s: %w", secret, w.Check(ctx, guarded))
		}, challenge.ReasonNoCredentials, codes.Unauthenticated},
		{"joined with a status", rpctest.PublicService, "", func(ctx context.Context) error {
			return errors.Join(status.Error(codes.Aborted, secret), w.Check(ctx, guarded))
		}, challenge.ReasonNoCredentials, codes.Unauthenticated},
		{"as an error of gRPC", rpctest.PublicService, "", func(ctx context.Context) error {
			return grpcauth.NewError(challenge.DenialOf(w.Check(ctx, guarded)))
		}, challenge.ReasonNoCredentials, codes.Unauthenticated},
		{"as an error of gRPC, wrapped", rpctest.PublicService, "", func(ctx context.Context) error {
			return fmt.Errorf("order %s: %w", secret, grpcauth.NewError(challenge.DenialOf(w.Check(ctx, guarded))))
		}, challenge.ReasonNoCredentials, codes.Unauthenticated},
		{"its own reason", rpctest.GuardedService, tokenGood, func(ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonInsufficientScope, errors.New(secret), "orders:all")
		}, challenge.ReasonInsufficientScope, codes.PermissionDenied},
		{"the cause has a status", rpctest.GuardedService, tokenGood, func(ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonUnavailable, status.Error(codes.DataLoss, secret))
		}, challenge.ReasonUnavailable, codes.Unavailable},
		{"its own reason, without a challenge", rpctest.GuardedService, tokenGood, func(ctx context.Context) error {
			return w.Deny(ctx, challenge.ReasonForbidden, nil)
		}, challenge.ReasonForbidden, codes.PermissionDenied},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			// Two guards stand round the handler: the challenge is added once.
			guards := append(grpcauth.ServerOptions(w.Authorizer), grpcauth.ServerOptions(w.Authorizer)[:2]...)
			conn := w.serve(t, append(guards, failing(row.fail)...)...)
			each(t, func(t *testing.T, method string) {
				got := call(t.Context(), conn, row.service, method, row.token)
				checkCode(t, got, row.code)
				denial, ok := grpcauth.FromError(got.status.Err())
				if ok != (row.code != codes.OK) || ok && (denial.Reason != row.want || !denial.Remote || got.status.Message() != row.want.Message()) {
					t.Fatalf("RPC-10: got %+v of %v, want %v", denial, got.status, row.want)
				}
				if ok {
					checkRefusal(t, got, rpctest.GuardedService, row.want.Challenges())
				}
			})
		})
	}
}

// TestErrorOfHandler: an error that is no denial stays what it is, and so does one
// that gives a denial a status of its own.
func TestErrorOfHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guarded := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	for name, fail := range map[string]func(context.Context) error{
		"a failure":  func(context.Context) error { return status.Error(codes.Aborted, "busy") },
		"its status": func(ctx context.Context) error { return statusError{w.Check(ctx, guarded)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := w.serve(t, append(grpcauth.ServerOptions(w.Authorizer), failing(fail)...)...)
			each(t, func(t *testing.T, method string) {
				got := call(t.Context(), conn, rpctest.PublicService, method, "")
				if got.status.Code() != codes.Aborted || got.status.Message() != "busy" || len(got.status.Details()) != 0 || len(got.header.Get("www-authenticate")) != 0 {
					t.Errorf("got %v, %v", got.status, got.header)
				}
			})
		})
	}
}

// editing is a stream that edits in place what it gets.
type editing struct {
	transportStream

	got []string
}

func (s *editing) SetHeader(md metadata.MD) error {
	s.got = slices.Clone(md["www-authenticate"])
	for _, values := range md {
		for i := range values[:cap(values)] {
			values[:cap(values)][i] = "evil"
		}
	}
	md["x-evil"] = []string{"1"}
	return nil
}

// TestOwnMetadata: what a middleware edits in place is its own, and the next
// refusal of the same kind is not changed.
func TestOwnMetadata(t *testing.T) {
	t.Parallel()
	guard := grpcauth.UnaryServerInterceptor(newKnown(t).Authorizer)
	info := &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)}
	want := []string{`Bearer realm="drawbridge.test.v1.GuardedService", resource_metadata="` + metadataURL + `", scope="guarded:write"`}
	for range 3 {
		stream := new(editing)
		if _, err := guard(grpc.NewContextWithServerTransportStream(t.Context(), stream), nil, info, nil); err == nil || !slices.Equal(stream.got, want) {
			t.Errorf("got %q, %v, want %q", stream.got, err, want)
		}
	}
}
