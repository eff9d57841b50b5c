package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge/policyfile"
	"google.golang.org/grpc"
)

const (
	readHeaderTimeout = 10 * time.Second
	// grace is how long a call may continue once the servers shut down, because
	// a stream has no end of its own.
	grace = 2 * time.Second
)

// servers are all servers of the process.
type servers struct {
	origin string
	mcpURL string

	authServer *authServer
	issuer     *http.Server
	connect    *http.Server
	grpc       *grpc.Server
	grpcAddr   string

	policy       *policyfile.Watcher
	policyFile   string
	removePolicy func() error
	stop         context.CancelFunc // of what runs beside the servers

	failed  chan error // of the first server that failed
	serving sync.WaitGroup
}

// listeners are the sockets of the servers.
type listeners struct{ connect, grpc, issuer net.Listener }

// open starts all servers. The Connect server listens on the given address, the
// others on free ports. Clients reach it at the origin, or if that is empty, at the
// address. The policy file may be empty for a copy of the default one.
func open(ctx context.Context, address, origin, policyFile string, logger *slog.Logger) (*servers, error) {
	sockets, err := listen(ctx, address)
	if err != nil {
		return nil, err
	}
	path, remove, err := policyPath(policyFile)
	if err != nil {
		return nil, errors.Join(err, sockets.close())
	}
	s, err := build(sockets, origin, path, logger)
	if err != nil {
		return nil, errors.Join(err, sockets.close(), remove())
	}
	s.policyFile, s.removePolicy = path, remove
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.start("policy file", func() error {
		if err := s.policy.Run(beside); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	s.start("authorization server", func() error { return s.issuer.Serve(sockets.issuer) })
	s.start("Connect server", func() error { return s.connect.Serve(sockets.connect) })
	s.start("grpc-go server", func() error { return s.grpc.Serve(sockets.grpc) })
	return s, nil
}

// build makes the servers. The resource identifiers contain the addresses, so the
// sockets come first.
func build(sockets *listeners, origin, policyFile string, logger *slog.Logger) (*servers, error) {
	switch {
	case origin == "":
		origin = "http://" + sockets.connect.Addr().String()
	case strings.Count(origin, "/") != 2:
		return nil, fmt.Errorf("the origin %q is not a scheme and a host alone, such as https://api.example.com", origin)
	}
	issuer := "http://" + sockets.issuer.Addr().String()
	s := &servers{
		origin:   origin,
		mcpURL:   origin + mcpPath,
		grpcAddr: sockets.grpc.Addr().String(),
		failed:   make(chan error, 1),
	}
	authServer, err := newAuthServer(issuer, origin, s.mcpURL, logger)
	if err != nil {
		return nil, err
	}
	authorizer, watcher, err := newAuthorizer(origin, s.mcpURL, issuer, authServer.secret, policyFile, logger)
	if err != nil {
		return nil, err
	}
	bridge, err := newBridge(authorizer)
	if err != nil {
		return nil, err
	}
	implementations := newServices()
	mcpEndpoint, err := newMCPEndpoint(bridge, implementations, logger)
	if err != nil {
		return nil, err
	}
	s.authServer, s.policy = authServer, watcher
	s.issuer = newHTTPServer(authServer, logger)
	s.connect = newHTTPServer(newConnectHandler(bridge, implementations, mcpEndpoint), logger)
	s.grpc = newGRPCServer(authorizer, implementations)
	return s, nil
}

// newHTTPServer returns a server that speaks HTTP/1.1, and HTTP/2 without TLS for
// gRPC and bidirectional streams.
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

// start runs a server until it is closed. The error of a server that ends before
// is sent to failed.
func (s *servers) start(name string, run func() error) {
	s.serving.Go(func() {
		err := run()
		if err == nil || errors.Is(err, http.ErrServerClosed) {
			return
		}
		select {
		case s.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	})
}

// close shuts all servers down. Calls in flight get a grace period.
func (s *servers) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var closing sync.WaitGroup
	var faults [2]error
	for i, server := range []*http.Server{s.issuer, s.connect} {
		closing.Go(func() {
			if server.Shutdown(ctx) != nil {
				faults[i] = server.Close()
			}
		})
	}
	closing.Go(func() {
		stopped := context.AfterFunc(ctx, s.grpc.Stop)
		s.grpc.GracefulStop()
		stopped()
	})
	closing.Wait()
	s.stop()
	s.serving.Wait()
	return errors.Join(faults[0], faults[1], s.removePolicy())
}

func (s *servers) announcement() announcement {
	return announcement{
		Issuer:        s.authServer.Issuer(),
		TokenEndpoint: s.authServer.TokenEndpoint(),
		Connect:       s.origin,
		GRPC:          s.grpcAddr,
		MCP:           s.mcpURL,
		Clients:       s.authServer.announced(),
	}
}

// listen opens the sockets, all on loopback: tokens must not cross a network
// without TLS.
func listen(ctx context.Context, address string) (*listeners, error) {
	var config net.ListenConfig
	sockets := new(listeners)
	for _, socket := range []struct {
		listener *net.Listener
		address  string
	}{{&sockets.connect, address}, {&sockets.grpc, "127.0.0.1:0"}, {&sockets.issuer, "127.0.0.1:0"}} {
		listener, err := config.Listen(ctx, "tcp", socket.address)
		if err != nil {
			return nil, errors.Join(err, sockets.close())
		}
		*socket.listener = listener
	}
	if addr, ok := sockets.connect.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%q is not on loopback", address), sockets.close())
	}
	return sockets, nil
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
