package mcptools

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

const (
	restockPrompt = "restock"
	skuArgument   = "sku"
)

// Prompts maps the prompt to the RPC that it leads to. Getting the prompt has the
// requirements of that RPC.
func Prompts() map[string]string {
	return map[string]string{restockPrompt: inventoryv1.InventoryService_AdjustStock_FullMethodName}
}

func addRestock(server *mcp.Server, stock *inventory.Service) {
	server.AddPrompt(&mcp.Prompt{
		Name:        restockPrompt,
		Description: "Asks to fill up the stock of an item.",
		Arguments: []*mcp.PromptArgument{
			{Name: skuArgument, Description: "the stock keeping unit", Required: true},
		},
	}, func(ctx context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		sku := req.Params.Arguments[skuArgument]
		item, err := find(ctx, stock, sku)
		if err != nil {
			return nil, err
		}
		if item == nil {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("no item %q", sku)}
		}
		text := fmt.Sprintf("There are %d pieces of %s (%s) in stock.\nFill up to the next hundred with the tool adjust_stock.",
			item.GetQuantity(), item.GetName(), item.GetSku())
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}}}, nil
	})
}
