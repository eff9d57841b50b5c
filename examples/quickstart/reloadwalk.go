package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth"
	"google.golang.org/grpc"
	grpcmetadata "google.golang.org/grpc/metadata"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// tightened is what is added to the policy file.
const tightened = `      ListItems:
        scopes: [inventory:write]
`

// reloadPolicy tightens a rule in the policy file while calls run, and loosens it again.
func (w *walker) reloadPolicy(ctx context.Context) (err error) {
	before, err := os.ReadFile(w.policyFile)
	if err != nil {
		return err
	}
	ctx = grpcmetadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.read)
	watching, err := w.watch(ctx)
	if err != nil {
		return err
	}
	w.say("One client calls ListItems again and again, and another watches the stock. Meanwhile, the policy file gets:")
	w.space()
	for line := range strings.Lines(tightened) {
		fmt.Fprintf(w.out, "    + %s", line)
	}
	w.space()
	if err := os.WriteFile(w.policyFile, slices.Concat(before, []byte(tightened)), 0o600); err != nil { //nolint:gosec // The operator named it.
		return err
	}
	denied, err := w.callUntil(ctx, func(err error) bool { return err != nil })
	if err != nil {
		return err
	}
	denial, ok := grpcauth.FromError(denied)
	if !ok {
		return errNoChallenge(denied)
	}
	w.got("grpc-status: 7 (PermissionDenied)\nwww-authenticate: %s", denial.Challenge.Header())
	goesOn := w.adjustAndReceive(ctx, watching)
	w.space()
	w.say(`No call was lost, and none was decided by half a policy. The stream that was open keeps the rule
		it began with. A file with a mistake would have changed nothing, but for a line in the log. Without
		the two lines, the client is let in again:`)
	w.space()
	if err := os.WriteFile(w.policyFile, before, 0o600); err != nil { //nolint:gosec // The operator named it.
		return err
	}
	_, err = w.callUntil(ctx, func(err error) bool { return err == nil })
	w.got("OK")
	return errors.Join(err, goesOn,
		same("the reason", denial.Reason, challenge.ReasonInsufficientScope),
		same("the scope", strings.Join(denial.Challenge.Scopes, " "), writeStock))
}

// callUntil calls ListItems until the result is the one to wait for, and returns that.
func (w *walker) callUntil(ctx context.Context, isIt func(error) bool) (result, err error) {
	client := inventoryv1.NewInventoryServiceClient(w.grpc)
	for ctx.Err() == nil {
		if _, result = client.ListItems(ctx, &inventoryv1.ListItemsRequest{}); isIt(result) {
			return result, nil
		}
	}
	return nil, fmt.Errorf("the policy file has no effect: %w", ctx.Err())
}

// watch opens a stream of the stock, and receives the items as they are.
func (w *walker) watch(ctx context.Context) (grpc.ServerStreamingClient[inventoryv1.WatchStockResponse], error) {
	stream, err := inventoryv1.NewInventoryServiceClient(w.grpc).WatchStock(ctx, &inventoryv1.WatchStockRequest{})
	for range 3 {
		if err == nil {
			_, err = stream.Recv()
		}
	}
	return stream, err
}

// adjustAndReceive changes the stock, and receives what a stream says about that.
func (w *walker) adjustAndReceive(ctx context.Context, stream grpc.ServerStreamingClient[inventoryv1.WatchStockResponse]) error {
	header := grpcmetadata.Pairs("authorization", "Bearer "+w.write)
	_, err := inventoryv1.NewInventoryServiceClient(w.grpc).AdjustStock(
		grpcmetadata.NewOutgoingContext(ctx, header), &inventoryv1.AdjustStockRequest{Sku: "BOLT-M8", Delta: 1})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}
