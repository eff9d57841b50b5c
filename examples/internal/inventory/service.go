// Package inventory implements inventory.v1.InventoryService over a warehouse
// in memory.
//
// [Service] has one method for each RPC. The unary ones have the signature that
// connect-go and grpc-go share; [ConnectHandler] and [GRPCServer] adapt the streams
// to the types of each.
package inventory

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/fault"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

const (
	maxImport  = 1000
	maxWatched = 100
)

// A Service is the implementation of inventory.v1.InventoryService. It does not
// depend on tokens: calls are authorized before they reach it.
type Service struct {
	stock *Stock
}

// NewService returns a service over stock.
func NewService(stock *Stock) *Service { return &Service{stock: stock} }

// ListItems returns the items that the request selects.
func (s *Service) ListItems(_ context.Context, req *inventoryv1.ListItemsRequest) (*inventoryv1.ListItemsResponse, error) {
	var resp inventoryv1.ListItemsResponse
	for _, item := range s.stock.List(req.GetFilter()) {
		resp.Items = append(resp.Items, toProto(item))
	}
	return &resp, nil
}

// AdjustStock changes the quantity of one item.
func (s *Service) AdjustStock(_ context.Context, req *inventoryv1.AdjustStockRequest) (*inventoryv1.AdjustStockResponse, error) {
	item, err := s.stock.Adjust(req.GetSku(), req.GetDelta())
	if err != nil {
		return nil, err
	}
	return &inventoryv1.AdjustStockResponse{Item: toProto(item)}, nil
}

// watch sends the current items and then each that changes, until the request's
// limit, the end of ctx, or an error of send.
func (s *Service) watch(ctx context.Context, req *inventoryv1.WatchStockRequest, send func(*inventoryv1.WatchStockResponse) error) error {
	if len(req.GetSkus()) > maxWatched {
		return fault.InvalidArgument("more than %d SKUs to watch, leave them out to watch all", maxWatched)
	}
	var sent uint32
	var revision uint64
	for {
		items, now, changed := s.stock.Since(revision)
		revision = now
		for _, item := range items {
			if len(req.GetSkus()) > 0 && !slices.Contains(req.GetSkus(), item.SKU) {
				continue
			}
			if err := send(&inventoryv1.WatchStockResponse{Item: toProto(item)}); err != nil {
				return err
			}
			if sent++; sent == req.GetLimit() {
				return nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// importItems stores the items that receive returns until it returns [io.EOF].
func (s *Service) importItems(receive func() (*inventoryv1.ImportItemsRequest, error)) (*inventoryv1.ImportItemsResponse, error) {
	var items []Item
	for {
		req, err := receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(items) == maxImport {
			return nil, fault.ResourceExhausted("more than %d items in one import", maxImport)
		}
		items = append(items, fromProto(req.GetItem()))
	}
	created, updated, err := s.stock.Import(items)
	if err != nil {
		return nil, err
	}
	return &inventoryv1.ImportItemsResponse{Created: created, Updated: updated}, nil
}

// reconcile responds to each count that receive returns, until it returns [io.EOF].
func (s *Service) reconcile(receive func() (*inventoryv1.ReconcileRequest, error), send func(*inventoryv1.ReconcileResponse) error) error {
	for {
		req, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		item, difference, err := s.stock.SetCount(req.GetSku(), req.GetCounted())
		if err != nil {
			return err
		}
		if err := send(&inventoryv1.ReconcileResponse{Item: toProto(item), Difference: difference}); err != nil {
			return err
		}
	}
}

func toProto(item Item) *inventoryv1.Item {
	return &inventoryv1.Item{Sku: item.SKU, Name: item.Name, Quantity: item.Quantity}
}

func fromProto(item *inventoryv1.Item) Item {
	return Item{SKU: item.GetSku(), Name: item.GetName(), Quantity: item.GetQuantity()}
}
