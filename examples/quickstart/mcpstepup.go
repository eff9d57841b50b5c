package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/mcptools"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// stepUpTool calls a tool that the token does not allow yet.
func (w *walker) stepUpTool(ctx context.Context) error {
	var out mcptools.GetInvoiceOutput
	seen, err := w.tool(ctx, "get_invoice", map[string]any{"id": "INV-1001"}, &out)
	if err != nil {
		return err
	}
	w.got("%s: %s", out.ID, out.Customer)
	w.space()
	w.say(`The refusal of one tool is a real HTTP 403 with insufficient_scope, not an error in a result,
		which would have been a 200. So the client stepped up: it asked for %s besides the
		scope it had, and called again. The challenge names both, because some clients ask for the
		scopes of the last challenge alone.`, readBilling)
	return errors.Join(
		checkStepUp(seen, readBilling),
		same("the customer", out.Customer, "Harbour Works"))
}

// stepUpResource reads a resource that the token does not allow yet.
func (w *walker) stepUpResource(ctx context.Context) error {
	uri := mcptools.ItemURI("NUT-M8")
	w.mcp.wire.take()
	read, err := w.mcp.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	w.sent("resources/read %s", uri)
	seen := w.showMCP()
	if err != nil {
		return err
	}
	var item mcptools.Item
	if err := json.Unmarshal([]byte(read.Contents[0].Text), &item); err != nil {
		return err
	}
	w.got("%s", read.Contents[0].Text)
	w.space()
	w.say(`The URI matches the template inventory://items/{sku}, which stands for the RPC ListItems. Its
		rule decides here, too. A resource or a template without an RPC would not exist for anyone.`)
	return errors.Join(
		checkStepUp(seen, readStock),
		same("the stock", item.Quantity, 400))
}

// stepUpPrompt gets a prompt that the token does not allow yet.
func (w *walker) stepUpPrompt(ctx context.Context) error {
	w.mcp.wire.take()
	prompt, err := w.mcp.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: "restock", Arguments: map[string]string{"sku": "NUT-M8"}})
	w.sent(`prompts/get restock {"sku":"NUT-M8"}`)
	seen := w.showMCP()
	if err != nil {
		return err
	}
	text, ok := prompt.Messages[0].Content.(*mcp.TextContent)
	if !ok {
		return fmt.Errorf("expected a text, got %T", prompt.Messages[0].Content)
	}
	w.got("%s", text.Text)
	w.space()
	w.say(`The prompt leads to a change of the stock, so it has the rule of AdjustStock. The user is asked
		for %s here, before the model tries the tool.`, writeStock)
	return errors.Join(
		checkStepUp(seen, writeStock),
		same("the mention of the stock", strings.Contains(text.Text, "400 pieces"), true))
}

// callTool calls a tool that the token allows.
func (w *walker) callTool(ctx context.Context) error {
	var out mcptools.AdjustStockOutput
	seen, err := w.tool(ctx, "adjust_stock", map[string]any{"sku": "NUT-M8", "delta": 25}, &out)
	if err != nil {
		return err
	}
	w.got("%s: %d in stock", out.Item.SKU, out.Item.Quantity)
	w.space()
	w.say(`The tool calls the Go method of the service in this process. The rule of AdjustStock was applied
		to the caller's token before. The token itself was not sent on.`)
	listed, err := w.inventory(w.http1, w.read).ListItems(ctx, &inventoryv1.ListItemsRequest{Filter: "nut"})
	if err != nil {
		return err
	}
	return errors.Join(
		same("the number of requests", len(seen), 1),
		same("the stock in the result of the tool", out.Item.Quantity, 425),
		same("the stock in the response of the RPC", listed.GetItems()[0].GetQuantity(), 425))
}

// tool calls a tool, prints the exchanges, and returns them.
func (w *walker) tool(ctx context.Context, name string, args map[string]any, into any) ([]*exchange, error) {
	encoded, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	w.mcp.wire.take()
	result, err := w.mcp.session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: args})
	w.sent("tools/call %s %s", name, encoded)
	seen := w.showMCP()
	if err != nil {
		return nil, err
	}
	if result.IsError {
		return nil, fmt.Errorf("expected %s to succeed, got %w", name, result.GetError())
	}
	structured, err := json.Marshal(result.StructuredContent)
	if err != nil {
		return nil, err
	}
	return seen, json.Unmarshal(structured, into)
}

// checkStepUp checks the exchanges from the 403 to the response.
func checkStepUp(seen []*exchange, scope string) error {
	if err := inOrder(seen, "POST "+mcpPath+" 403", "GET /authorize 302", "POST /token 200", "POST "+mcpPath+" 200"); err != nil {
		return err
	}
	challenge, err := parseChallenge(seen[0].header.Get("WWW-Authenticate"))
	return errors.Join(err,
		same("error", challenge.params["error"], "insufficient_scope"),
		same("the scope", strings.Join(challenge.scopes, " "), scope+" "+useMCP))
}
