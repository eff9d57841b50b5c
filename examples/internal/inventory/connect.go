package inventory

import (
	"context"
	"io"

	"connectrpc.com/connect"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// A ConnectHandler adapts a [Service] to connect-go.
type ConnectHandler struct{ *Service }

var _ inventoryv1connect.InventoryServiceHandler = ConnectHandler{}

// WatchStock streams to the caller.
func (h ConnectHandler) WatchStock(ctx context.Context, req *inventoryv1.WatchStockRequest, stream *connect.ServerStream[inventoryv1.WatchStockResponse]) error {
	return h.watch(ctx, req, stream.Send)
}

// ImportItems streams from the caller.
func (h ConnectHandler) ImportItems(_ context.Context, stream *connect.ClientStream[inventoryv1.ImportItemsRequest]) (*inventoryv1.ImportItemsResponse, error) {
	return h.importItems(func() (*inventoryv1.ImportItemsRequest, error) {
		if stream.Receive() {
			return stream.Msg(), nil
		}
		if err := stream.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	})
}

// Reconcile streams in both directions.
func (h ConnectHandler) Reconcile(_ context.Context, stream *connect.BidiStream[inventoryv1.ReconcileRequest, inventoryv1.ReconcileResponse]) error {
	return h.reconcile(stream.Receive, stream.Send)
}
