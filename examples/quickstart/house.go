package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

const (
	readHeaderTimeout = 10 * time.Second
	// grace is how long a call may go on once the house closes. A stream has no
	// end of its own.
	grace = 2 * time.Second
)

// house is everything that runs in the process.
type house struct {
	origin string
	mcpURL string

	authServer *authserver.Server
	issuer     *http.Server
	connect    *http.Server
	grpc       *grpc.Server
	grpcAddr   string

	failed  chan error // of the first server that ended by itself
	serving sync.WaitGroup
}

// listeners are the doors of the house.
type listeners struct{ connect, grpc, issuer net.Listener }

// open starts all servers. The Connect server listens on the given address, the
// others on ports of their own.
func open(ctx context.Context, address string, logger *slog.Logger) (*house, error) {
	doors, err := listen(ctx, address)
	if err != nil {
		return nil, err
	}
	h, err := build(doors, logger)
	if err != nil {
		return nil, errors.Join(err, doors.close())
	}
	h.start("authorization server", func() error { return h.issuer.Serve(doors.issuer) })
	h.start("Connect server", func() error { return h.connect.Serve(doors.connect) })
	h.start("grpc-go server", func() error { return h.grpc.Serve(doors.grpc) })
	return h, nil
}

// build makes the servers. The identifiers of the resources hold the addresses,
// so those come first.
func build(doors *listeners, logger *slog.Logger) (*house, error) {
	origin := "http://" + doors.connect.Addr().String()
	issuer := "http://" + doors.issuer.Addr().String()
	h := &house{
		origin:   origin,
		mcpURL:   origin + mcpPath,
		grpcAddr: doors.grpc.Addr().String(),
		failed:   make(chan error, 1),
	}
	authServer, err := newAuthServer(issuer, origin, h.mcpURL, logger)
	if err != nil {
		return nil, err
	}
	authorizer, err := newAuthorizer(origin, h.mcpURL, issuer, logger)
	if err != nil {
		return nil, err
	}
	bridge, err := newBridge(authorizer)
	if err != nil {
		return nil, err
	}
	s := newServices()
	mcpEndpoint, err := newMCPEndpoint(bridge, s, logger)
	if err != nil {
		return nil, err
	}
	h.authServer = authServer
	h.issuer = newHTTPServer(authServer, logger)
	h.connect = newHTTPServer(newConnectHandler(bridge, s, mcpEndpoint), logger)
	h.grpc = newGRPCServer(authorizer, s)
	return h, nil
}

// newHTTPServer speaks HTTP/1.1, and HTTP/2 without TLS for gRPC and for streams
// that go both ways.
func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// start runs a server until it is closed. A server that ends by itself fails
// the house.
func (h *house) start(name string, run func() error) {
	h.serving.Go(func() {
		err := run()
		if err == nil || errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case h.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	})
}

// close ends all servers: calls that are under way get a grace period.
func (h *house) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var closing sync.WaitGroup
	var faults [2]error
	for i, server := range []*http.Server{h.issuer, h.connect} {
		closing.Go(func() {
			if server.Shutdown(ctx) != nil {
				faults[i] = server.Close()
			}
		})
	}
	closing.Go(func() {
		stopped := context.AfterFunc(ctx, h.grpc.Stop)
		h.grpc.GracefulStop()
		stopped()
	})
	closing.Wait()
	h.serving.Wait()
	return errors.Join(faults[:]...)
}

func (h *house) announcement() announcement {
	return announcement{
		Issuer:        h.authServer.Issuer(),
		TokenEndpoint: h.authServer.TokenEndpoint(),
		Connect:       h.origin,
		GRPC:          h.grpcAddr,
		MCP:           h.mcpURL,
		Clients:       h.authServer.Clients(),
	}
}

// listen opens the doors, all on loopback: there is no TLS here, and tokens are
// for nobody else's ears.
func listen(ctx context.Context, address string) (*listeners, error) {
	var config net.ListenConfig
	doors := new(listeners)
	for _, door := range []struct {
		listener *net.Listener
		address  string
	}{{&doors.connect, address}, {&doors.grpc, "127.0.0.1:0"}, {&doors.issuer, "127.0.0.1:0"}} {
		listener, err := config.Listen(ctx, "tcp", door.address)
		if err != nil {
			return nil, errors.Join(err, doors.close())
		}
		*door.listener = listener
	}
	if addr, ok := doors.connect.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%q is not on loopback", address), doors.close())
	}
	return doors, nil
}

func (l *listeners) close() error {
	var faults []error
	for _, listener := range []net.Listener{l.connect, l.grpc, l.issuer} {
		if listener != nil {
			faults = append(faults, listener.Close())
		}
	}
	return errors.Join(faults...)
}
