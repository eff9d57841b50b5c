package grpcauth_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// lifetime is that of the token of a stream.
const lifetime = time.Second

// slowStream is a stream with one message whose client half-closes after a while.
type slowStream struct {
	grpc.ServerStream

	ctx      context.Context //nolint:containedctx // A ServerStream has one.
	pause    time.Duration
	received int
	sent     int
}

func (s *slowStream) Context() context.Context { return s.ctx }

func (s *slowStream) SendMsg(any) error {
	s.sent++
	return nil
}

func (s *slowStream) RecvMsg(any) error {
	if s.received++; s.received == 1 {
		return nil
	}
	time.Sleep(s.pause)
	s.pause = 0
	return io.EOF
}

// TestEndOfRequest: a handler does not learn that a client sends nothing more, and so
// does not commit, if the token has expired before. Once it has learned it in time,
// the one response of a client stream is sent, as that of a unary call is; a stream
// of responses ends with the next one (R9068-4.b).
func TestEndOfRequest(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name        string
		info        grpc.StreamServerInfo
		pause, work time.Duration // before the end of the request and before the response
		committed   bool
		want        codes.Code
	}{
		{"a client stream, in time", grpc.StreamServerInfo{IsClientStream: true}, 0, 0, true, codes.OK},
		{"a client stream, the end comes too late", grpc.StreamServerInfo{IsClientStream: true}, lifetime, 0, false, codes.Unauthenticated},
		{"a client stream, the response takes longer", grpc.StreamServerInfo{IsClientStream: true}, 0, lifetime, true, codes.OK},
		{"both ways, in time", grpc.StreamServerInfo{IsClientStream: true, IsServerStream: true}, 0, 0, true, codes.OK},
		{"both ways, the end comes too late", grpc.StreamServerInfo{IsClientStream: true, IsServerStream: true}, lifetime, 0, false, codes.Unauthenticated},
		{"both ways, the response takes longer", grpc.StreamServerInfo{IsClientStream: true, IsServerStream: true}, 0, lifetime, true, codes.Unauthenticated},
		{"a server stream, the response takes longer", grpc.StreamServerInfo{IsServerStream: true}, 0, lifetime, true, codes.Unauthenticated},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.Verifier.Lifetime = lifetime
				row.info.FullMethod = rpctest.Procedure(rpctest.GuardedService, rpctest.Client)
				stream := &slowStream{
					ctx:   metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer "+tokenGood)),
					pause: row.pause,
				}
				committed := false
				err := grpcauth.StreamServerInterceptor(w.Authorizer)(nil, stream, &row.info, func(_ any, stream grpc.ServerStream) error {
					for {
						err := stream.RecvMsg(nil)
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							return err
						}
					}
					committed = true
					time.Sleep(row.work)
					return stream.SendMsg(nil)
				})
				if status.Code(err) != row.want || committed != row.committed || (stream.sent == 1) != (row.want == codes.OK) {
					t.Errorf("R9068-4.b: got %v, committed %t, sent %d", err, committed, stream.sent)
				}
			})
		})
	}
}
