package grpcauth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// server is a way to run grpc-go.
type server struct {
	name  string
	serve func(*testing.T, *world, ...grpc.ServerOption) *grpc.ClientConn
}

var servers = []server{
	{"grpc-go", func(t *testing.T, w *world, options ...grpc.ServerOption) *grpc.ClientConn {
		t.Helper()
		return w.serve(t, options...)
	}},
	{"net/http", func(t *testing.T, w *world, options ...grpc.ServerOption) *grpc.ClientConn {
		t.Helper()
		url := rpctest.ServeHTTP(t, w.Handlers.GRPCServer(options...))
		return rpctest.DialGRPC(t, strings.TrimPrefix(url, "http://"))
	}},
}

// TestServerOptions: every kind of call is guarded, also when grpc-go is run by
// net/http, and each refusal carries one Challenge detail and a copy in the
// leading metadata, which net/http would drop from the trailers (RPC-1, RPC-2,
// RPC-3, RPC-7, SEED-1).
func TestServerOptions(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		for _, row := range []struct {
			name, service, token string
			want                 codes.Code
			challenged           bool
			asked                int64
		}{
			{"no token (SEED-2)", rpctest.GuardedService, "", codes.Unauthenticated, true, 0},
			{"good token", rpctest.GuardedService, tokenGood, codes.OK, false, 1},
			{"bad token (SEED-3)", rpctest.GuardedService, tokenBad, codes.Unauthenticated, true, 1},
			{"malformed (R6750-3.1.b)", rpctest.GuardedService, "two tokens", codes.InvalidArgument, true, 0},
			{"missing scope (SEED-4)", rpctest.GuardedService, tokenRead, codes.PermissionDenied, true, 1},
			{"outage (RPC-2)", rpctest.GuardedService, tokenDown, codes.Unavailable, false, 1},
			{"odd failure (RPC-2)", rpctest.GuardedService, tokenOdd, codes.Unavailable, false, 1},
			{"the verifier panics", rpctest.GuardedService, tokenPanic, codes.Internal, false, 1},
			{"the verifier says nothing", rpctest.GuardedService, tokenNobody, codes.Internal, false, 1},
			{"unknown service (SEED-7)", rpctest.NowhereService, "", codes.Unauthenticated, true, 0},
			{"unknown service, good token (SEED-7, RPC-6, RPC-8)", rpctest.NowhereService, tokenGood, codes.Unimplemented, false, 1},
			{"public", rpctest.PublicService, tokenBad, codes.OK, false, 0},
		} {
			t.Run(server.name+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				conn := server.serve(t, w, grpcauth.ServerOptions(w.Authorizer)...)
				for _, method := range rpctest.Kinds {
					w.Verifier.Asked.Store(0)
					w.Log.Logged.Store(0)
					before := w.Handlers.Ran()
					got := call(t.Context(), conn, row.service, method, row.token)
					checkCode(t, got, row.want)
					denied := row.want != codes.OK
					if w.Handlers.Ran()-before != int(one(!denied)) || w.Log.Logged.Load() != one(denied) || w.Verifier.Asked.Load() != row.asked {
						t.Errorf("RPC-1, SEED-1: "+method+": the handler ran %d times, logged %d times, the verifier was asked %d times",
							w.Handlers.Ran()-before, w.Log.Logged.Load(), w.Verifier.Asked.Load())
					}
					checkRefusal(t, got, row.service, row.challenged)
				}
			})
		}
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func checkRefusal(t *testing.T, got outcome, service string, challenged bool) {
	t.Helper()
	if found := challenges(got.status); len(found) != int(one(got.status.Code() != codes.OK)) {
		t.Errorf("RPC-3: %d Challenge details", len(found))
	}
	header := got.header.Get("www-authenticate")
	if len(header) != int(one(challenged)) || challenged && !strings.HasPrefix(header[0], fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", service, metadataURL)) {
		t.Errorf("RPC-3: in the leading metadata: %q", header)
	}
	if trailer := got.trailer.Get("www-authenticate"); trailer != nil {
		t.Errorf("RPC-3: in the trailers: %q", trailer)
	}
	retry := slices.ContainsFunc(got.status.Details(), func(detail any) bool {
		info, ok := detail.(*errdetails.RetryInfo)
		return ok && info.GetRetryDelay().AsDuration() > 0
	})
	if retry != (got.status.Code() == codes.Unavailable) {
		t.Errorf("RPC-2: RetryInfo is there: %t", retry)
	}
	if said := fmt.Sprint(got.status.Proto(), got.header, got.trailer); strings.Contains(said, secret) {
		t.Errorf("RPC-7: the cause was sent: %s", said)
	}
}

// TestHalfAServer: each interceptor guards one half of the calls alone, which is
// why ServerOptions exists (RPC-1).
func TestHalfAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	unary := w.serve(t, grpc.UnaryInterceptor(grpcauth.UnaryServerInterceptor(w.Authorizer)))
	streams := w.serve(t, grpc.StreamInterceptor(grpcauth.StreamServerInterceptor(w.Authorizer)))
	for _, method := range rpctest.Kinds {
		isUnary := method == rpctest.Unary
		if got := call(t.Context(), unary, rpctest.GuardedService, method, ""); (got.status.Code() == codes.Unauthenticated) != isUnary {
			t.Errorf("unary interceptor alone, %s: %v", method, got.status)
		}
		if got := call(t.Context(), streams, rpctest.GuardedService, method, ""); (got.status.Code() == codes.Unauthenticated) == isUnary {
			t.Errorf("stream interceptor alone, %s: %v", method, got.status)
		}
	}
}

// TestBesideOthers: interceptors of the user that stand further out see the
// denial and its cause, those further in see only calls that were let in.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	var inside atomic.Int64
	outside := make(chan error, 1)
	w := newWorld(t)
	options := slices.Concat(
		[]grpc.ServerOption{
			grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				res, err := handler(ctx, req)
				outside <- err
				return res, err
			}),
			grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				err := handler(srv, stream)
				outside <- err
				return err
			}),
		},
		grpcauth.ServerOptions(w.Authorizer),
		[]grpc.ServerOption{
			grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				inside.Add(1)
				return handler(ctx, req)
			}),
			grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				inside.Add(1)
				return handler(srv, stream)
			}),
		},
	)
	conn := w.serve(t, options...)
	for _, method := range rpctest.Kinds {
		inside.Store(0)
		checkCode(t, call(t.Context(), conn, rpctest.GuardedService, method, tokenBad), codes.Unauthenticated)
		err := <-outside
		var denial *challenge.DenialError
		var refused *grpcauth.Error
		if !errors.As(err, &denial) || !errors.As(err, &refused) || denial.Reason != challenge.ReasonInvalidToken || !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: outside, %#v", method, err)
		}
		if err.Error() != status.Convert(err).Message() || strings.Contains(err.Error(), secret) {
			t.Errorf("RPC-7: %s: %v", method, err)
		}
		if inside.Load() != 0 {
			t.Errorf("%s: ran inside", method)
		}
		checkCode(t, call(t.Context(), conn, rpctest.GuardedService, method, tokenGood), codes.OK)
		if err := <-outside; err != nil || inside.Load() != 1 {
			t.Errorf("%s: outside, %v; %d times inside", method, err, inside.Load())
		}
	}
}

// TestUnknownServiceHandler: a handler of the user for unknown services, such as a
// proxy, is guarded as well (SEED-7, RPC-6).
func TestUnknownServiceHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var ran atomic.Int64
	conn := rpctest.DialGRPC(t, rpctest.ServeGRPC(t, grpc.NewServer(append(grpcauth.ServerOptions(w.Authorizer),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			ran.Add(1)
			message := new(rpctest.Message)
			if err := stream.RecvMsg(message); err != nil {
				return err
			}
			return stream.SendMsg(&rpctest.Message{Value: rpctest.Greeting(stream.Context(), message.GetValue())})
		}))...)))
	for _, method := range rpctest.Kinds {
		ran.Store(0)
		checkCode(t, call(t.Context(), conn, rpctest.GuardedService, method, ""), codes.Unauthenticated)
		checkCode(t, call(t.Context(), conn, rpctest.NowhereService, method, tokenGood), codes.Unimplemented)
		if ran.Load() != 0 {
			t.Errorf("%s: the handler ran", method)
		}
		if got := call(t.Context(), conn, rpctest.GuardedService, method, tokenGood); got.message != "hello from ada" {
			t.Errorf("%s: got %+v", method, got)
		}
	}
}

// TestPublicServiceElsewhere: a public rule for a service that the server does not
// have is legal, and leads to unimplemented (RPC-8).
func TestPublicServiceElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services[rpctest.NowhereService] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
	})
	conn := w.serve(t, grpcauth.ServerOptions(w.Authorizer)...)
	for _, method := range rpctest.Kinds {
		checkCode(t, call(t.Context(), conn, rpctest.NowhereService, method, ""), codes.Unimplemented)
	}
}

// bind is a binding that passes on each request that it sees.
type bind struct{ seen chan token.Request }

func (b bind) CheckBinding(_ context.Context, _ *token.Info, req token.Request) error {
	b.seen <- req
	return nil
}

// TestBinding: a binding sees the connection of the call, and its metadata
// (R8705-3, R9449-4.3).
func TestBinding(t *testing.T) {
	t.Parallel()
	binding := bind{make(chan token.Request, 1)}
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Bindings = map[string]token.Binding{"x5t#S256": binding}
		cfg.Verifier = knownToken{&token.Info{
			Issuer: rpctest.Issuer, Audience: []string{resource}, Scopes: []string{rpctest.ScopeWrite},
			Confirmation: map[string]any{"x5t#S256": "thumbprint"},
		}}
	})
	info := &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)}
	header := metadata.MD{"authorization": {"Bearer " + tokenGood}, "x-forwarded-client-cert": {"x"}}
	ctx := metadata.NewIncomingContext(t.Context(), header)
	encrypted := credentials.TLSInfo{State: tls.ConnectionState{ServerName: "api.example.com"}}
	for name, row := range map[string]struct {
		ctx     context.Context //nolint:containedctx // A row of a table.
		secured bool
	}{
		"no connection": {ctx, false},
		"plain":         {peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{}}), false},
		"TLS":           {peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{}, AuthInfo: encrypted}), true},
	} {
		answer := func(context.Context, any) (any, error) { return name, nil }
		if _, err := grpcauth.UnaryServerInterceptor(w.Authorizer)(row.ctx, nil, info, answer); err != nil {
			t.Fatal(err)
		}
		seen := <-binding.seen
		if (seen.TLS != nil && seen.TLS.ServerName == "api.example.com") != row.secured || seen.Method != http.MethodPost || seen.URL != resource+info.FullMethod {
			t.Errorf("R8705-3: %s: got %+v", name, seen)
		}
		if got := seen.Values("X-Forwarded-Client-Cert"); len(got) != 1 {
			t.Errorf("R9449-4.3: %s: the metadata is %q", name, got)
		}
	}
}

// TestUnknownMethod: the rule of a service is not one for methods that it does
// not have (SEED-7, RPC-6, RPC-8).
func TestUnknownMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.serve(t, grpcauth.ServerOptions(w.Authorizer)...)
	for token, want := range map[string]codes.Code{"": codes.Unauthenticated, tokenRead: codes.Unimplemented, tokenGood: codes.Unimplemented} {
		checkCode(t, call(t.Context(), conn, rpctest.GuardedService, "Missing", token), want)
	}
}

// TestProcedureSyntax: procedures are taken as they are written, or not at all
// (RPC-5).
func TestProcedureSyntax(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	conn := w.serve(t, grpcauth.ServerOptions(w.Authorizer)...)
	public := rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	for _, procedure := range []string{
		public[1:], "/" + public, public + "/", public + "/x", "/x" + public, "/x/.." + public,
		"/" + rpctest.PublicService, "/" + rpctest.PublicService + "/", "//" + rpctest.Unary, "/",
		strings.Replace(public, rpctest.PublicService, strings.ToLower(rpctest.PublicService), 1), public + "?x", public + " ",
	} {
		err := conn.Invoke(t.Context(), procedure, &rpctest.Message{}, &rpctest.Message{})
		if err == nil || w.Handlers.Ran() != 0 {
			t.Errorf("RPC-5: %q was let in", procedure)
		}
	}
}

// TestHost: challenge and host agree (SEED-5), a host that is not ours is not
// echoed (SEED-6), and forwarded fields count from trusted proxies alone.
func TestHost(t *testing.T) {
	t.Parallel()
	const alias = "https://alias.example.com"
	w := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Aliases = []string{alias}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	standard := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Aliases = []string{alias}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		cfg.ForwardedField = "Forwarded"
	})
	distrustful := newWorld(t, func(cfg *drawbridge.Config) {
		cfg.Resources[0].Aliases = []string{alias}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, row := range []struct {
		name      string
		world     *world
		authority string
		forwarded []string
		want      string
	}{
		{"SEED-5: ours", w, "api.example.com", nil, resource},
		{"SEED-5: an alias", w, "alias.example.com", nil, alias},
		{"SEED-5: an alias with its port", w, "alias.example.com:443", nil, alias},
		{"SEED-6: another port", w, "alias.example.com:444", nil, resource},
		{"SEED-6: foreign", w, "evil.example.com", nil, resource},
		{"SEED-6: a quote", w, `alias.example.com"`, nil, resource},
		{"SEED-5: from a trusted proxy", w, "internal:8080", []string{"x-forwarded-host", "alias.example.com", "x-forwarded-proto", "https"}, alias},
		{"SEED-6: a client's Forwarded through a proxy that does not set it", w, "internal:8080", []string{"forwarded", "host=alias.example.com;proto=https"}, resource},
		{"SEED-5: from a trusted proxy, RFC 7239", standard, "internal:8080", []string{"forwarded", "for=10.0.0.1;host=alias.example.com;proto=https"}, alias},
		{"SEED-6: a trusted proxy's foreign host", w, "alias.example.com", []string{"x-forwarded-host", "evil.example.com"}, alias},
		{"SEED-6: from an untrusted peer", distrustful, "internal:8080", []string{"x-forwarded-host", "alias.example.com"}, resource},
	} {
		for _, server := range servers {
			t.Run(row.name+"/"+server.name, func(t *testing.T) {
				t.Parallel()
				conn := server.serve(t, row.world, grpcauth.ServerOptions(row.world.Authorizer)...)
				ctx := metadata.AppendToOutgoingContext(t.Context(), row.forwarded...)
				for _, method := range rpctest.Kinds {
					_, err := rpctest.CallGRPC(ctx, conn, rpctest.GuardedService, method, grpc.CallAuthority(row.authority))
					found := challenges(status.Convert(err))
					if len(found) != 1 || found[0].GetResourceMetadata() != row.want+"/.well-known/oauth-protected-resource" {
						t.Errorf("%s: got %v", method, err)
					}
				}
			})
		}
	}
}
