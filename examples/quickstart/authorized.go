package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	grpcmetadata "google.golang.org/grpc/metadata"

	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1/billingv1connect"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// inventory returns a client that sends token unless it is empty.
func (w *walker) inventory(t *tap, token string, opts ...connect.ClientOption) inventoryv1connect.InventoryServiceClient {
	return inventoryv1connect.NewInventoryServiceClient(
		&http.Client{Transport: bearer{next: t, token: token}}, w.target.Connect, opts...)
}

// callWithToken makes the calls that steps 2 to 5 were refused.
func (w *walker) callWithToken(ctx context.Context) error {
	const items = 3
	for _, protocol := range []struct {
		name    string
		options []connect.ClientOption
	}{{"Connect", nil}, {"gRPC-Web", []connect.ClientOption{connect.WithGRPCWeb()}}} {
		resp, err := w.inventory(w.http1, w.read, protocol.options...).ListItems(ctx, &inventoryv1.ListItemsRequest{})
		if err != nil {
			return fmt.Errorf("%s: %w", protocol.name, err)
		}
		seen := w.http1.last()
		w.sent("%s (%s)\nAuthorization: Bearer %s", seen.request(), protocol.name, shorten(w.read))
		w.got("%s, %d items", seen.answer(), len(resp.GetItems()))
		if err := same("the number of items", len(resp.GetItems()), items); err != nil {
			return err
		}
	}
	withToken := grpcmetadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.read)
	resp, err := inventoryv1.NewInventoryServiceClient(w.grpc).ListItems(withToken, &inventoryv1.ListItemsRequest{})
	if err != nil {
		return fmt.Errorf("gRPC: %w", err)
	}
	w.sent("gRPC %s with the token", inventoryv1.InventoryService_ListItems_FullMethodName)
	w.got("OK, %d items", len(resp.GetItems()))
	if err := same("the number of items", len(resp.GetItems()), items); err != nil {
		return err
	}
	stream, err := w.inventory(w.http2, w.read).WatchStock(ctx, &inventoryv1.WatchStockRequest{Limit: 1})
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if !stream.Receive() {
		return errors.Join(errors.New("expected a message on the stream"), stream.Err())
	}
	w.sent("%s (Connect, server stream) with the token", w.http2.last().request())
	w.got("%s: %d in stock", stream.Msg().GetItem().GetSku(), stream.Msg().GetItem().GetQuantity())
	w.space()
	w.say("One token, one rule, one decision: the same in every protocol.")
	return stream.Close()
}

// otherService calls a service whose scope the token lacks.
func (w *walker) otherService(ctx context.Context) error {
	client := billingv1connect.NewBillingServiceClient(&http.Client{Transport: bearer{next: w.http1, token: w.read}}, w.target.Connect)
	_, err := client.GetInvoice(ctx, &billingv1.GetInvoiceRequest{Id: "INV-1001"})
	w.sent("%s with the token for %s", "POST "+billingv1.BillingService_GetInvoice_FullMethodName, readStock)
	err = w.showForbidden(err, readBilling)
	w.space()
	w.say(`The token is valid but lacks a scope: 403, not 401, and the challenge names the missing scope.
		A client that gets a 401 discards its token; one that gets this asks for more.`)
	return err
}

// stepUp gets a token with the scope of a 403 and calls again.
func (w *walker) stepUp(ctx context.Context) error {
	request := &inventoryv1.AdjustStockRequest{Sku: "BOLT-M8", Delta: -20}
	_, err := w.inventory(w.http1, w.read).AdjustStock(ctx, request)
	w.sent("POST %s with the token for %s", inventoryv1.InventoryService_AdjustStock_FullMethodName, readStock)
	denial, _ := connectauth.FromError(err)
	if err := w.showForbidden(err, writeStock); err != nil {
		return err
	}
	write, err := w.requestToken(ctx, strings.Join(denial.Challenge.Scopes, " "), w.metadata.Resource)
	if err != nil {
		return err
	}
	w.write = write
	adjusted, err := w.inventory(w.http1, write).AdjustStock(ctx, request)
	if err != nil {
		return err
	}
	seen := w.http1.last()
	w.sent("%s with the new token", seen.request())
	w.got("%s, %s: %d in stock", seen.answer(), adjusted.GetItem().GetSku(), adjusted.GetItem().GetQuantity())
	listed, err := w.inventory(w.http1, write).ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: "bolt"})
	if err != nil {
		return err
	}
	seen = w.http1.last()
	w.sent("%s with the new token", seen.request())
	w.got("%s, %d item", seen.answer(), len(listed.GetItems()))
	w.space()
	w.say(`The client asked for the scope that the challenge named, and the call succeeded. The new token
		has %s alone and may read as well, because that scope implies the other in the policy.`, writeStock)
	return same("the stock", adjusted.GetItem().GetQuantity(), int64(400))
}

// otherResource sends a token for the RPC services to the MCP endpoint.
func (w *walker) otherResource(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.target.MCP, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	resp, err := (&http.Client{Transport: bearer{next: w.http1, token: w.read}}).Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	seen := w.http1.last()
	w.sent("%s with the token for %s", seen.request(), w.target.Connect)
	w.got("%s", seen.answer())
	w.got("WWW-Authenticate: %s", seen.header.Get("WWW-Authenticate"))
	w.got("%s", indentJSON(seen.body))
	w.space()
	w.say(`%s is a resource of its own, so this needs a token of its own (RFC 8707): a service
		that receives a token cannot use it at another one.`, w.target.MCP)
	parsed, err := parseChallenge(seen.header.Get("WWW-Authenticate"))
	return errors.Join(err,
		same("the HTTP status", seen.status, http.StatusUnauthorized),
		same("error", parsed.params["error"], "invalid_token"),
		same("resource_metadata", parsed.metadata, w.target.Connect+"/.well-known/oauth-protected-resource"+mcpPath))
}

// showForbidden prints the refusal of a token that lacks a scope.
func (w *walker) showForbidden(err error, scope string) error {
	seen := w.http1.last()
	w.got("%s", seen.answer())
	w.got("WWW-Authenticate: %s", seen.header.Get("WWW-Authenticate"))
	denial, ok := connectauth.FromError(err)
	if !ok {
		return errNoChallenge(err)
	}
	w.got("code: %s", connect.CodeOf(err))
	return errors.Join(
		same("the HTTP status", seen.status, http.StatusForbidden),
		same("the reason", denial.Reason, challenge.ReasonInsufficientScope),
		same("the scope", strings.Join(denial.Challenge.Scopes, " "), scope),
		same("the challenge in the header", seen.header.Get("WWW-Authenticate"), denial.Challenge.Header()))
}
