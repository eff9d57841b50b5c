package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"google.golang.org/grpc"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

const (
	logoutPath = "/logout"
	readStock  = "inventory:read"
	writeStock = "inventory:write"
	readBills  = "billing:read"
)

// Resources are the protected resources: three HTTP servers, and a grpc-go server for
// the first of them.
type resources struct {
	log      *memory
	observed *observed
	stock    *inventory.Stock
	stop     func()
	serving  sync.WaitGroup
}

// memory keeps a log.
type memory struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (m *memory) Write(data []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(data)
}

// observed is an [drawbridge.Observer] that keeps the latest decision.
type observed struct {
	mu   sync.Mutex
	last drawbridge.Decision
}

// ObserveDecision implements [drawbridge.Observer].
func (o *observed) ObserveDecision(_ context.Context, decision drawbridge.Decision) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = decision
}

func (o *observed) decision() drawbridge.Decision {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

func rules() policy.Policy {
	return policy.Policy{Services: map[string]policy.Service{
		inventoryv1connect.InventoryServiceName: {
			Rule: policy.Rule{Scopes: []string{readStock}},
			// A client for itself must not change the stock.
			Methods: map[string]policy.Rule{"AdjustStock": {Scopes: []string{writeStock}, Party: token.PartyUser}},
		},
		billingv1connect.BillingServiceName: {Rule: policy.Rule{Scopes: []string{readBills}, Party: token.PartyClient}},
	}}
}

// bindings are those of each resource: DPoP without nonces, with them, and
// certificates.
func (s site) bindings() (map[string]map[string]token.Binding, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // It never fails.
	dpop, err := proof.NewDPoP(proof.DPoPConfig{})
	if err != nil {
		return nil, err
	}
	withNonce, err := proof.NewDPoP(proof.DPoPConfig{NonceKeys: [][]byte{key}})
	if err != nil {
		return nil, err
	}
	certificate, err := proof.NewCertificate(proof.CertificateConfig{})
	if err != nil {
		return nil, err
	}
	return map[string]map[string]token.Binding{
		s.JWT:          {"jkt": dpop},
		s.Opaque:       {"jkt": withNonce},
		s.Certificates: {"x5t#S256": certificate},
	}, nil
}

// serve starts the servers. The clients are those that the logout endpoint is
// registered for.
func (s site) serve(ctx context.Context, config verifier.Config, clients ...string) (*resources, error) {
	log := new(memory)
	config.Logger = slog.New(slog.NewTextHandler(log, nil))
	tokens, err := verifier.New(config)
	if err != nil {
		return nil, err
	}
	logout, err := tokens.LogoutHandler(verifier.LogoutConfig{ClientIDs: clients})
	if err != nil {
		return nil, err
	}
	bindings, err := s.bindings()
	if err != nil {
		return nil, err
	}
	r := &resources{
		log:      log,
		observed: new(observed),
		stock:    inventory.NewStock(inventory.Item{SKU: "BOLT-M8", Name: "Hex bolt M8x40", Quantity: 420}),
	}
	ctx, r.stop = context.WithCancel(ctx)
	for resource, bound := range bindings {
		authorizer, err := drawbridge.New(drawbridge.Config{
			Resources: []drawbridge.Resource{{Identifier: resource, AuthorizationServers: []string{s.Issuer}}},
			Policy:    rules(),
			Verifier:  tokens,
			Bindings:  bound,
			Observers: []drawbridge.Observer{r.observed},
			Logger:    config.Logger,
		})
		if err == nil {
			err = r.open(ctx, s, resource, authorizer, logout)
		}
		if err != nil {
			r.close()
			return nil, fmt.Errorf("%s: %w", resource, err)
		}
	}
	return r, nil
}

// open starts the servers of one resource.
func (r *resources) open(ctx context.Context, s site, resource string, authorizer *drawbridge.Authorizer, logout http.Handler) error {
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		return err
	}
	stock := inventory.NewService(r.stock)
	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: stock}))
	mux.Handle(billingv1connect.NewBillingServiceHandler(billing.NewService()))
	outer := http.NewServeMux()
	outer.Handle(logoutPath, logout)
	outer.Handle("/", bridge.Handler(connectauth.Guard(authorizer, mux)))

	pair, err := tls.X509KeyPair([]byte(s.Certificate), []byte(s.Key))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           outer,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12},
	}
	scheme, address, _ := strings.Cut(resource, "://")
	serve := server.Serve
	if scheme == "https" {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := r.start(ctx, address, serve, func() { _ = server.Close() }); err != nil || resource != s.JWT {
		return err
	}
	overGRPC := grpc.NewServer(grpcauth.ServerOptions(authorizer)...)
	inventoryv1.RegisterInventoryServiceServer(overGRPC, inventory.GRPCServer{Service: stock})
	return r.start(ctx, s.GRPC, overGRPC.Serve, overGRPC.Stop)
}

// start serves until ctx is done.
func (r *resources) start(ctx context.Context, address string, serve func(net.Listener) error, stop func()) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	r.serving.Go(func() {
		defer context.AfterFunc(ctx, stop)()
		if err := serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			slog.ErrorContext(ctx, "a resource server failed", "address", address, "error", err)
		}
	})
	return nil
}

func (r *resources) close() {
	r.stop()
	r.serving.Wait()
}
