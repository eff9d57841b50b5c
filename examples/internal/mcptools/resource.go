package mcptools

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// The resource template of the items.
const (
	itemsURI      = "inventory://items/"
	itemsTemplate = itemsURI + "{sku}"
)

// Resources maps the resource template to the RPC that it stands for. Reading a
// resource of it has the requirements of that RPC.
func Resources() map[string]string {
	return map[string]string{itemsTemplate: inventoryv1.InventoryService_ListItems_FullMethodName}
}

// ItemURI returns the URI of an item.
func ItemURI(sku string) string { return itemsURI + url.PathEscape(sku) }

func addItems(server *mcp.Server, stock *inventory.Service) {
	server.AddResourceTemplate(&mcp.ResourceTemplate{
		Name:        "items",
		Description: "An item of the warehouse and how much of it is in stock.",
		MIMEType:    "application/json",
		URITemplate: itemsTemplate,
	}, func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		sku, err := url.PathUnescape(strings.TrimPrefix(req.Params.URI, itemsURI))
		if err != nil {
			return nil, mcp.ResourceNotFoundError(req.Params.URI)
		}
		item, err := find(ctx, stock, sku)
		if err != nil {
			return nil, err
		}
		if item == nil {
			return nil, mcp.ResourceNotFoundError(req.Params.URI)
		}
		encoded, err := json.Marshal(toItem(item))
		if err != nil {
			return nil, err
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: string(encoded)}}}, nil
	})
}

// find returns the item with a SKU, or nil.
func find(ctx context.Context, stock *inventory.Service, sku string) (*inventoryv1.Item, error) {
	resp, err := stock.ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: sku})
	for _, item := range resp.GetItems() {
		if item.GetSku() == sku {
			return item, nil
		}
	}
	return nil, err
}
