package inventory

import (
	"google.golang.org/grpc"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// A GRPCServer adapts a [Service] to grpc-go.
type GRPCServer struct {
	inventoryv1.UnsafeInventoryServiceServer // every RPC is implemented below or by Service
	*Service
}

var _ inventoryv1.InventoryServiceServer = GRPCServer{}

// WatchStock streams to the caller.
func (s GRPCServer) WatchStock(req *inventoryv1.WatchStockRequest, stream grpc.ServerStreamingServer[inventoryv1.WatchStockResponse]) error {
	return s.watch(stream.Context(), req, stream.Send)
}

// ImportItems streams from the caller.
func (s GRPCServer) ImportItems(stream grpc.ClientStreamingServer[inventoryv1.ImportItemsRequest, inventoryv1.ImportItemsResponse]) error {
	resp, err := s.importItems(stream.Recv)
	if err != nil {
		return err
	}
	return stream.SendAndClose(resp)
}

// Reconcile streams in both directions.
func (s GRPCServer) Reconcile(stream grpc.BidiStreamingServer[inventoryv1.ReconcileRequest, inventoryv1.ReconcileResponse]) error {
	return s.reconcile(stream.Recv, stream.Send)
}
