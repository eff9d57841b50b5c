package sample

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A Server describes services by reflection.
type Server struct {
	// Files have the descriptors. Nil means those that are linked into the program.
	Files *protoregistry.Files
	// Services are the names of what the server lists.
	Services []string
	// IsOld leaves out version 1 of the reflection service.
	IsOld bool
	// IsSilent leaves out the reflection service.
	IsSilent bool
	// TLS is the configuration of the transport. Nil means none.
	TLS *tls.Config
	// Token is what callers have to send. Empty lets everybody in.
	Token string
}

// Start starts the server on loopback, until the test ends, and returns its address.
func (s Server) Start(tb testing.TB) string {
	tb.Helper()
	options := []grpc.ServerOption{grpc.StreamInterceptor(s.authorize)}
	if s.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.TLS)))
	}
	server := grpc.NewServer(options...)
	described := reflection.ServerOptions{Services: s, DescriptorResolver: s.Files}
	if s.Files == nil {
		described.DescriptorResolver = protoregistry.GlobalFiles
	}
	if !s.IsSilent {
		grpc_reflection_v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(described))
	}
	if !s.IsOld && !s.IsSilent {
		grpc_reflection_v1.RegisterServerReflectionServer(server, reflection.NewServerV1(described))
	}
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(server.Stop)
	return listener.Addr().String()
}

// GetServiceInfo lists the services.
func (s Server) GetServiceInfo() map[string]grpc.ServiceInfo {
	info := make(map[string]grpc.ServiceInfo)
	for _, name := range s.Services {
		info[name] = grpc.ServiceInfo{}
	}
	return info
}

func (s Server) authorize(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if s.Token != "" && !s.isAllowed(stream.Context()) {
		return status.Error(codes.Unauthenticated, "an access token is required")
	}
	return handler(server, stream)
}

func (s Server) isAllowed(ctx context.Context) bool {
	fields := metadata.ValueFromIncomingContext(ctx, "authorization")
	return len(fields) == 1 && fields[0] == "Bearer "+s.Token
}
