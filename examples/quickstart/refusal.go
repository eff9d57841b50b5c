package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// publicRPC checks the health of both servers.
func (w *walker) publicRPC(ctx context.Context) error {
	check := connect.NewClient[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](
		&http.Client{Transport: w.http1}, w.target.Connect+healthv1.Health_Check_FullMethodName,
		connect.WithProtoJSON(), connect.WithAcceptCompression("gzip", nil, nil)) // so that the body is readable
	overConnect, err := check.CallUnary(ctx, connect.NewRequest(&healthv1.HealthCheckRequest{}))
	if err != nil {
		return err
	}
	seen := w.http1.last()
	w.sent("%s", seen.request())
	w.got("%s", seen.answer())
	w.got("%s", seen.body)

	overGRPC, err := healthv1.NewHealthClient(w.grpc).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	w.sent("gRPC %s", healthv1.Health_Check_FullMethodName)
	w.got("OK, %s", overGRPC.GetStatus())
	w.space()
	w.say("The policy makes the health service public. A procedure without a rule is denied.")
	return errors.Join(
		same("the health over Connect", overConnect.Msg.GetStatus(), healthv1.HealthCheckResponse_SERVING),
		same("the health over gRPC", overGRPC.GetStatus(), healthv1.HealthCheckResponse_SERVING),
	)
}

// refusedConnect is the first refusal. It keeps the challenge.
func (w *walker) refusedConnect(ctx context.Context) error {
	_, err := w.inventory(w.http1, "").ListItems(ctx, &inventoryv1.ListItemsRequest{})
	seen := w.http1.last()
	header := seen.header.Get("WWW-Authenticate")
	w.sent("%s", seen.request())
	w.got("%s", seen.answer())
	w.got("WWW-Authenticate: %s", header)
	denial, shown := w.showRefusal(err)
	w.space()
	w.say(`Over Connect a unary refusal is a real 401, which any HTTP client understands. The error has
		the same challenge as a typed detail, because gateways may rewrite headers.`)
	if shown != nil {
		return shown
	}
	w.challenge, err = parseChallenge(header)
	return errors.Join(err,
		same("the HTTP status", seen.status, http.StatusUnauthorized),
		same("the challenge in the detail", denial.Challenge.Header(), header))
}

// refusedGRPC is refused by the grpc-go server.
func (w *walker) refusedGRPC(ctx context.Context) error {
	var leading grpcmetadata.MD
	_, err := inventoryv1.NewInventoryServiceClient(w.grpc).ListItems(ctx, &inventoryv1.ListItemsRequest{}, grpc.Header(&leading))
	w.sent("gRPC %s", inventoryv1.InventoryService_ListItems_FullMethodName)
	w.got("grpc-status: %d (%s)", status.Code(err), status.Code(err))
	w.got("www-authenticate: %s", strings.Join(leading.Get("www-authenticate"), " and "))
	denial, ok := grpcauth.FromError(err)
	if !ok {
		return errNoChallenge(err)
	}
	w.showDetail(denial)
	w.space()
	w.say(`In gRPC there is no 401: the HTTP status is 200 and the gRPC status is "unauthenticated". This
		is the other server, with another framework on another port, and the challenge is the same.`)
	return errors.Join(
		w.sameChallenge(denial),
		same("www-authenticate", strings.Join(leading.Get("www-authenticate"), " and "), w.challenge.header))
}

// refusedGRPCWeb is refused by the Connect server in the protocol of browsers.
func (w *walker) refusedGRPCWeb(ctx context.Context) error {
	_, err := w.inventory(w.http1, "", connect.WithGRPCWeb()).ListItems(ctx, &inventoryv1.ListItemsRequest{})
	seen := w.http1.last()
	header := seen.header.Get("WWW-Authenticate")
	w.sent("%s (gRPC-Web)", seen.request())
	w.got("%s", seen.answer())
	w.got("WWW-Authenticate: %s", header)
	denial, shown := w.showRefusal(err)
	w.space()
	w.say(`gRPC-Web is HTTP 200 too, with the status in the body. It is not rewritten to a 401, because
		its clients would report "unknown" and lose the reason.`)
	if shown != nil {
		return shown
	}
	return errors.Join(
		same("the HTTP status", seen.status, http.StatusOK),
		same("WWW-Authenticate", header, w.challenge.header),
		w.sameChallenge(denial))
}

// refusedStreams opens a server stream over Connect and a bidirectional one
// over gRPC.
func (w *walker) refusedStreams(ctx context.Context) error {
	stream, err := w.inventory(w.http2, "").WatchStock(ctx, &inventoryv1.WatchStockRequest{})
	if err == nil {
		if stream.Receive() {
			err = errors.New("the stream began")
		} else {
			err = stream.Err()
		}
	}
	seen := w.http2.last()
	w.sent("%s (Connect, server stream)", seen.request())
	w.got("%s", seen.answer())
	watch, shown := w.showRefusal(err)

	both, err := inventoryv1.NewInventoryServiceClient(w.grpc).Reconcile(ctx)
	if err == nil {
		_, err = both.Recv()
	}
	w.sent("gRPC %s (bidirectional stream)", inventoryv1.InventoryService_Reconcile_FullMethodName)
	w.got("grpc-status: %d (%s)", status.Code(err), status.Code(err))
	reconcile, ok := grpcauth.FromError(err)
	if ok {
		w.showDetail(reconcile)
	}
	w.space()
	w.say(`A stream is refused before its first message, as a unary call is. Reconcile changes the stock,
		so its challenge asks for another scope.`)
	if shown != nil || !ok {
		return errors.Join(shown, err)
	}
	return errors.Join(
		w.sameChallenge(watch),
		same("the scopes of Reconcile", strings.Join(reconcile.Challenge.Scopes, " "), writeStock))
}

// showRefusal prints the error of a Connect client.
func (w *walker) showRefusal(err error) (*challenge.DenialError, error) {
	denial, ok := connectauth.FromError(err)
	if !ok {
		return nil, errNoChallenge(err)
	}
	w.got("code: %s", connect.CodeOf(err))
	w.showDetail(denial)
	return denial, nil
}

// errNoChallenge returns the error of a step whose call should have been refused,
// and ended with err, which may be nil.
func errNoChallenge(err error) error {
	if err == nil {
		return errors.New("expected an error with a challenge, got a success")
	}
	return fmt.Errorf("expected an error with a challenge, got %w", err)
}

func (w *walker) showDetail(denial *challenge.DenialError) {
	c := denial.Challenge
	lines := []string{"detail drawbridge.v1.Challenge:"}
	for _, field := range [][2]string{
		{"realm", c.Realm},
		{"resource_metadata", c.ResourceMetadataURL},
		{"scopes", strings.Join(c.Scopes, " ")},
		{"error", c.Error},
		{"error_description", c.ErrorDescription},
		{"algs", strings.Join(c.Algs, " ")},
	} {
		if field[1] != "" {
			lines = append(lines, fmt.Sprintf("%-18s %s", field[0], field[1]))
		}
	}
	w.wire("<", strings.Join(lines, "\n"))
}

// sameChallenge returns an error unless a refusal has the challenge of the first
// one.
func (w *walker) sameChallenge(denial *challenge.DenialError) error {
	return errors.Join(
		same("the reason", denial.Reason, challenge.ReasonNoCredentials),
		same("the challenge", denial.Challenge.Header(), w.challenge.header),
		same("the scopes", slices.Equal(denial.Challenge.Scopes, w.challenge.scopes), true))
}
