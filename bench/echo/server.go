package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/bench/internal/peers"
)

type message = wrapperspb.StringValue

// announcement is the line with which a server says that it serves.
type announcement struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// serveVariant serves "transport/variant" until standard input ends.
func serveVariant(ctx context.Context, name string) error {
	transport, variant, _ := strings.Cut(name, "/")
	issuer := authtest.Start()
	defer issuer.Close()
	d, err := peers.NewDrawbridge(issuer, 1)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ended := make(chan struct{}, 2)
	if transport == "grpc" {
		go func() { _ = grpcServer(d, variant).Serve(listener); ended <- struct{}{} }()
	} else {
		go func() { _ = connectServer(d, variant).Serve(listener); ended <- struct{}{} }()
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended <- struct{}{}
	}()
	if err := json.NewEncoder(os.Stdout).Encode(announcement{listener.Addr().String(), d.Token}); err != nil {
		return err
	}
	<-ended
	return nil
}

func connectServer(d *peers.Drawbridge, variant string) *http.Server {
	handler := connect.NewUnaryHandler(peers.Method,
		func(_ context.Context, req *connect.Request[message]) (*connect.Response[message], error) {
			return connect.NewResponse(req.Msg), nil
		})
	seen := peers.NewSeen(d.Token)
	guarded := map[string]http.Handler{
		"bare":              handler,
		"bare again":        handler,
		"drawbridge":        connectauth.Guard(d.Authorizer, handler),
		"drawbridge+bridge": d.Bridge.Handler(connectauth.Guard(d.Authorizer, handler)),
		"authn-go":          seen.Authn(handler),
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: guarded[variant], Protocols: protocols, ReadHeaderTimeout: time.Minute}
}

func grpcServer(d *peers.Drawbridge, variant string) *grpc.Server {
	var options []grpc.ServerOption
	switch variant {
	case "drawbridge":
		options = grpcauth.ServerOptions(d.Authorizer)
	case "go-grpc-middleware":
		options = []grpc.ServerOption{grpc.ChainUnaryInterceptor(peers.NewSeen(d.Token).GRPC())}
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: peers.Service,
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	}, struct{}{})
	return server
}

// echo is what protoc-gen-go-grpc generates for a unary method.
func echo(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // The signature is that of grpc.MethodHandler.
	in := new(message)
	if err := decode(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return in, nil
	}
	handler := func(_ context.Context, in any) (any, error) { return in, nil }
	return interceptor(ctx, in, &grpc.UnaryServerInfo{FullMethod: peers.Method}, handler)
}

// server is a server in a process of its own.
type server struct {
	command *exec.Cmd
	stop    func()
	call    func(context.Context) error
}

// start runs this command again, as a server.
func start(ctx context.Context, transport transport, variant string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self, "-serve", transport.name+"/"+variant) //nolint:gosec // It is this program.
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{command: command, stop: func() {
		_ = stdin.Close()
		_ = command.Wait()
	}}
	var announced announcement
	if err := json.NewDecoder(stdout).Decode(&announced); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s did not start: %w", variant, err)
	}
	s.call, err = transport.dial(announced)
	return s, err
}

// clockTick is the unit of /proc/PID/stat on Linux.
const clockTick = 100

// cpu returns the CPU time of the server in seconds, 0 where there is no /proc.
func (s *server) cpu() (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// The name of the command, in parentheses, may hold spaces.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat has %d fields", len(fields))
	}
	user, userErr := strconv.ParseFloat(fields[11], 64)
	system, systemErr := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTick, errors.Join(userErr, systemErr)
}
