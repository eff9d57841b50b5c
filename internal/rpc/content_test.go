package rpc_test

import (
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

func TestProtocol(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		contentType string
		want        rpc.Protocol
		native      bool
	}{
		{"application/json", rpc.ConnectJSON, false},
		{"application/json; charset=utf-8", rpc.ConnectJSON, false},
		{" Application/JSON ;charset=utf-8", rpc.ConnectJSON, false},
		{"application/proto", rpc.ConnectProto, true},
		{"application/proto;x=y", rpc.ConnectProto, true},
		{"application/connect+json", rpc.ConnectStream, true},
		{"application/connect+proto", rpc.ConnectStream, true},
		{"APPLICATION/CONNECT+PROTO", rpc.ConnectStream, true},
		{"application/grpc", rpc.GRPC, true},
		{"Application/GRPC", rpc.GRPC, true},
		{"application/grpc+proto", rpc.GRPC, true},
		{"application/grpc+json ; charset=utf-8", rpc.GRPC, true},
		{"application/grpc-web", rpc.GRPCWeb, true},
		{"application/grpc-web+proto", rpc.GRPCWeb, true},
		{"application/grpc-web-text", rpc.GRPCWeb, true},
		{"application/grpc-web-text+proto", rpc.GRPCWeb, true},
		{"", rpc.None, false},
		{";", rpc.None, false},
		{"application", rpc.None, false},
		{"application/", rpc.None, false},
		{"application/jsonp", rpc.None, false},
		{"application/problem+json", rpc.None, false},
		{"application/protobuf", rpc.None, false},
		{"application/connect", rpc.None, false},
		{"application/grpcx", rpc.None, false},
		{"text/event-stream", rpc.None, false},
		{"text/plain; x=application/grpc", rpc.None, false},
		{"x-application/grpc", rpc.None, false},
	} {
		if got := rpc.ProtocolOf(tt.contentType); got != tt.want {
			t.Errorf("RPC-4: ProtocolOf(%q): got %d, want %d", tt.contentType, got, tt.want)
		}
		if got := tt.want.IsNative(); got != tt.native {
			t.Errorf("RPC-4: IsNative of %q: got %t, want %t", tt.contentType, got, tt.native)
		}
		if got, want := tt.want.MayStream(), tt.native && tt.want != rpc.ConnectProto; got != want {
			t.Errorf("MayStream of %q: got %t, want %t", tt.contentType, got, want)
		}
	}
}
