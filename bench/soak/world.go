package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A world is everything that runs: the issuers, the servers, and the clients.
type world struct {
	issuer, stranger *authtest.Issuer
	refused          atomic.Bool // whether the issuer refuses connections
	mint             *mint
	generations      generations
	verifier         token.Verifier // of the next generation
	authorizer       *drawbridge.Authorizer
	bridge           *httpbridge.Bridge
	handlers         *handlers
	tamper           func(*drawbridge.Config)

	origin   string // of the HTTP server
	grpcAddr string
	http     *http.Server
	grpc     *grpc.Server
	mcp      *mcp.Server
	serving  sync.WaitGroup

	http1, http2 *http.Client
	clients      map[clientKey]*connect.Client[message, message]
	conn         *grpc.ClientConn

	observed observer
	records  records
	logger   *slog.Logger
}

// observer counts the decisions that were observed.
type observer struct{ allowed, denied atomic.Int64 }

// ObserveDecision implements drawbridge.Observer.
func (o *observer) ObserveDecision(_ context.Context, d drawbridge.Decision) {
	if d.Allowed {
		o.allowed.Add(1)
	} else {
		o.denied.Add(1)
	}
}

// records counts what is logged.
type records struct{ logged atomic.Int64 }

// Enabled implements slog.Handler.
func (*records) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (r *records) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup implements slog.Handler.
func (r *records) WithGroup(string) slog.Handler { return r }

// Handle implements slog.Handler.
func (r *records) Handle(context.Context, slog.Record) error {
	r.logged.Add(1)
	return nil
}

// newWorld starts everything for a number of workers. The caller closes the world,
// even if there is an error.
func newWorld(ctx context.Context, workers int, tamper func(*drawbridge.Config)) (w *world, err error) {
	w = &world{issuer: authtest.Start(), stranger: authtest.Start(), handlers: &handlers{slots: make([]slot, workers)}, tamper: tamper}
	w.logger = slog.New(&w.records)
	var config net.ListenConfig
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return w, err
		}
	}
	w.origin = "http://" + listeners[0].Addr().String()
	w.grpcAddr = listeners[1].Addr().String()
	if err := w.authorize(); err != nil {
		return w, err
	}
	if err := w.serve(listeners[0], listeners[1]); err != nil {
		return w, err
	}
	w.mint = &mint{issuer: w.issuer, stranger: w.stranger, audiences: []string{w.origin, w.origin + mcpPath}}
	w.mint.renew()
	w.mint.renewShorts()
	err = w.dial()
	return w, err
}

// authorize makes the Authorizer, with the first generation.
func (w *world) authorize() error {
	verifier, keys, err := w.newVerifier()
	if err != nil {
		return err
	}
	w.verifier = verifier
	first := &generation{rules: bootstrapRules(), keys: keys}
	return w.generations.replace(first, func() error {
		if w.authorizer, err = drawbridge.New(w.config(first)); err != nil {
			return err
		}
		w.bridge, err = httpbridge.New(httpbridge.Config{Authorizer: w.authorizer})
		return err
	})
}

func (w *world) newVerifier() (token.Verifier, *fetches, error) {
	return newVerifier(w.issuer.URL, &w.refused, w.logger)
}

// serve starts the servers.
func (w *world) serve(web, rpc net.Listener) error {
	mux := w.handlers.mux()
	mux.Handle("/", connectauth.NotFoundHandler(w.authorizer))
	if err := w.mountPlain(mux); err != nil {
		return err
	}
	if err := w.mountMCP(mux); err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	w.http = &http.Server{
		Handler:           w.bridge.Handler(connectauth.Guard(w.authorizer, mux)),
		Protocols:         protocols,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(w.logger.Handler(), slog.LevelWarn),
	}
	w.grpc = grpc.NewServer(grpcauth.ServerOptions(w.authorizer)...)
	w.handlers.register(w.grpc)
	w.serving.Go(func() { _ = w.http.Serve(web) }) // until it is closed
	w.serving.Go(func() { _ = w.grpc.Serve(rpc) })
	return nil
}

// dial makes the clients.
func (w *world) dial() (err error) {
	client := func(set func(*http.Protocols)) *http.Client {
		protocols := new(http.Protocols)
		set(protocols)
		return &http.Client{
			Transport:     &http.Transport{Protocols: protocols, MaxIdleConnsPerHost: 2 * len(w.handlers.slots)},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	w.http1 = client(func(p *http.Protocols) { p.SetHTTP1(true) })
	w.http2 = client(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	w.clients = connectClients(w.http1, w.http2, w.origin)
	w.conn, err = grpc.NewClient(w.grpcAddr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return err
}

// close ends everything. What did not start is nil.
func (w *world) close() error {
	var faults []error
	if w.conn != nil {
		faults = append(faults, w.conn.Close())
	}
	if w.http1 != nil {
		w.http1.CloseIdleConnections()
		w.http2.CloseIdleConnections()
	}
	if w.http != nil {
		faults = append(faults, w.http.Close())
		w.grpc.Stop()
		for session := range w.mcp.Sessions() {
			faults = append(faults, session.Close())
		}
	}
	w.serving.Wait()
	w.issuer.Close()
	w.stranger.Close()
	return errors.Join(faults...)
}
