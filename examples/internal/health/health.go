// Package health serves the standard health service over Connect, with the
// implementation of grpc-go.
package health

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// NewHandler returns the path of grpc.health.v1.Health and a handler for it
// that speaks Connect, gRPC and gRPC-Web. It uses server, which a grpc-go server may
// share.
func NewHandler(server *health.Server, opts ...connect.HandlerOption) (string, http.Handler) {
	methods := healthv1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods()
	options := func(method protoreflect.Name) connect.HandlerOption {
		return connect.WithHandlerOptions(append([]connect.HandlerOption{connect.WithSchema(methods.ByName(method))}, opts...)...)
	}
	mux := http.NewServeMux()
	mux.Handle(healthv1.Health_Check_FullMethodName, connect.NewUnaryHandlerSimple(
		healthv1.Health_Check_FullMethodName,
		func(ctx context.Context, req *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
			resp, err := server.Check(ctx, req)
			return resp, connectError(err)
		},
		options("Check"),
	))
	mux.Handle(healthv1.Health_List_FullMethodName, connect.NewUnaryHandlerSimple(
		healthv1.Health_List_FullMethodName,
		func(ctx context.Context, req *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
			resp, err := server.List(ctx, req)
			return resp, connectError(err)
		},
		options("List"),
	))
	mux.Handle(healthv1.Health_Watch_FullMethodName, connect.NewServerStreamHandlerSimple(
		healthv1.Health_Watch_FullMethodName,
		func(ctx context.Context, req *healthv1.HealthCheckRequest, stream *connect.ServerStream[healthv1.HealthCheckResponse]) error {
			return connectError(server.Watch(req, watcher{ctx: ctx, stream: stream}))
		},
		options("Watch"),
	))
	return "/" + healthv1.Health_ServiceDesc.ServiceName + "/", mux
}

// watcher adapts a stream of connect-go to grpc-go. [health.Server.Watch] uses only
// the two methods below.
type watcher struct {
	grpc.ServerStream

	ctx    context.Context //nolint:containedctx // grpc-go keeps it there.
	stream *connect.ServerStream[healthv1.HealthCheckResponse]
}

func (w watcher) Context() context.Context                      { return w.ctx }
func (w watcher) Send(resp *healthv1.HealthCheckResponse) error { return w.stream.Send(resp) }

// connectError turns a status of grpc-go into an error of connect-go, which uses the
// same codes.
func connectError(err error) error {
	if err == nil {
		return nil
	}
	st := status.Convert(err)
	return connect.NewError(connect.Code(st.Code()), errors.New(st.Message()))
}
