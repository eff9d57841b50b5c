// Package mcptools offers the example services as tools, a resource template and a
// prompt of an MCP server.
//
// They call the Go methods of the services in the same process. No token is sent
// on: the use is authorized before they run, by the token of the request (see
// [Tools], [Resources] and [Prompts]).
package mcptools

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	billingv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/billing/v1"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// Tools maps each tool to the RPC that it stands for. Calling the tool has the
// requirements of that RPC.
func Tools() map[string]string {
	return map[string]string{
		"list_items":   inventoryv1.InventoryService_ListItems_FullMethodName,
		"adjust_stock": inventoryv1.InventoryService_AdjustStock_FullMethodName,
		"get_invoice":  billingv1.BillingService_GetInvoice_FullMethodName,
	}
}

// Item is an item of the warehouse in the results of the tools.
type Item struct {
	SKU      string `json:"sku" jsonschema:"the stock keeping unit"`
	Name     string `json:"name" jsonschema:"the name for people"`
	Quantity int64  `json:"quantity" jsonschema:"the number of pieces in stock"`
}

// ListItemsInput selects the items of the tool list_items.
type ListItemsInput struct {
	Filter string `json:"filter,omitempty" jsonschema:"only items whose name or SKU contains this; empty means all"`
}

// ListItemsOutput is the result of the tool list_items.
type ListItemsOutput struct {
	Items []Item `json:"items" jsonschema:"the items in the order of their SKUs"`
}

// AdjustStockInput is one change of the tool adjust_stock.
type AdjustStockInput struct {
	SKU   string `json:"sku" jsonschema:"the item that changes"`
	Delta int64  `json:"delta" jsonschema:"the pieces that come in, or, if negative, go out"`
}

// AdjustStockOutput is the result of the tool adjust_stock.
type AdjustStockOutput struct {
	Item Item `json:"item" jsonschema:"the item after the change"`
}

// GetInvoiceInput names the invoice of the tool get_invoice.
type GetInvoiceInput struct {
	ID string `json:"id" jsonschema:"the number of the invoice, for instance INV-1001"`
}

// GetInvoiceOutput is the result of the tool get_invoice.
type GetInvoiceOutput struct {
	ID          string `json:"id" jsonschema:"the number of the invoice"`
	Customer    string `json:"customer" jsonschema:"the customer's name"`
	AmountMinor int64  `json:"amount_minor" jsonschema:"the sum in the smallest unit of the currency"`
	Currency    string `json:"currency" jsonschema:"the ISO 4217 code of the currency"`
}

// Add adds the tools, the resource template and the prompt to server.
func Add(server *mcp.Server, stock *inventory.Service, invoices *billing.Service) {
	addListItems(server, stock)
	addAdjustStock(server, stock)
	addGetInvoice(server, invoices)
	addItems(server, stock)
	addRestock(server, stock)
}

func addListItems(server *mcp.Server, stock *inventory.Service) {
	mcp.AddTool(server, &mcp.Tool{
		Name:        "list_items",
		Description: "Lists the items of the warehouse and how many of each are in stock.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in ListItemsInput) (*mcp.CallToolResult, ListItemsOutput, error) {
		resp, err := stock.ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: in.Filter})
		out := ListItemsOutput{Items: []Item{}}
		for _, item := range resp.GetItems() {
			out.Items = append(out.Items, toItem(item))
		}
		return nil, out, err
	})
}

func addAdjustStock(server *mcp.Server, stock *inventory.Service) {
	mcp.AddTool(server, &mcp.Tool{
		Name:        "adjust_stock",
		Description: "Adds pieces of an item to the stock, or takes them out.",
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in AdjustStockInput) (*mcp.CallToolResult, AdjustStockOutput, error) {
		resp, err := stock.AdjustStock(ctx, &inventoryv1.AdjustStockRequest{Sku: in.SKU, Delta: in.Delta})
		return nil, AdjustStockOutput{Item: toItem(resp.GetItem())}, err
	})
}

func addGetInvoice(server *mcp.Server, invoices *billing.Service) {
	mcp.AddTool(server, &mcp.Tool{
		Name:        "get_invoice",
		Description: "Returns an invoice.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, func(ctx context.Context, _ *mcp.CallToolRequest, in GetInvoiceInput) (*mcp.CallToolResult, GetInvoiceOutput, error) {
		resp, err := invoices.GetInvoice(ctx, &billingv1.GetInvoiceRequest{Id: in.ID})
		invoice := resp.GetInvoice()
		return nil, GetInvoiceOutput{
			ID:          invoice.GetId(),
			Customer:    invoice.GetCustomer(),
			AmountMinor: invoice.GetAmountMinor(),
			Currency:    invoice.GetCurrency(),
		}, err
	})
}

func toItem(item *inventoryv1.Item) Item {
	return Item{SKU: item.GetSku(), Name: item.GetName(), Quantity: item.GetQuantity()}
}
