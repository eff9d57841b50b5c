package mcptools_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/billing"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/mcptools"
)

// connect returns a client of a server with the tools, in memory.
func connect(t *testing.T) *mcp.ClientSession {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	stock := inventory.NewStock(inventory.Item{SKU: "NUT-M8", Name: "Nut M8", Quantity: 10})
	mcptools.Add(server, inventory.NewService(stock), billing.NewService())
	here, there := mcp.NewInMemoryTransports()
	if _, err := server.Connect(t.Context(), there, nil); err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func call(t *testing.T, session *mcp.ClientSession, tool string, args map[string]any, out any) *mcp.CallToolResult {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if result.IsError {
		return result
	}
	encoded, err := json.Marshal(result.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, out); err != nil {
		t.Fatal(err)
	}
	return result
}

// Every tool has an RPC, whose rule guards it.
func TestEveryToolHasAProcedure(t *testing.T) {
	t.Parallel()
	listed, err := connect(t).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(mcptools.Procedures())); !slices.Equal(names, want) {
		t.Errorf("the tools are %q, those with a procedure %q", names, want)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	session := connect(t)
	var listed mcptools.ListItemsOutput
	call(t, session, "list_items", map[string]any{"filter": "nut"}, &listed)
	if want := []mcptools.Item{{SKU: "NUT-M8", Name: "Nut M8", Quantity: 10}}; !slices.Equal(listed.Items, want) {
		t.Errorf("list_items: got %+v, want %+v", listed.Items, want)
	}
	call(t, session, "list_items", map[string]any{"filter": "gear"}, &listed)
	if listed.Items == nil || len(listed.Items) != 0 {
		t.Errorf("list_items without a match: got %+v, want an empty list", listed.Items)
	}
	var adjusted mcptools.AdjustStockOutput
	call(t, session, "adjust_stock", map[string]any{"sku": "NUT-M8", "delta": -4}, &adjusted)
	if adjusted.Item.Quantity != 6 {
		t.Errorf("adjust_stock: got %+v", adjusted)
	}
	var invoice mcptools.GetInvoiceOutput
	call(t, session, "get_invoice", map[string]any{"id": "INV-1001"}, &invoice)
	if invoice.Customer != "Harbour Works" || invoice.AmountMinor != 125_000 || invoice.Currency != "EUR" {
		t.Errorf("get_invoice: got %+v", invoice)
	}
}

// The error of the service is the text that the model gets.
func TestToolErrors(t *testing.T) {
	t.Parallel()
	session := connect(t)
	for tool, args := range map[string]map[string]any{
		"adjust_stock": {"sku": "GEAR", "delta": 1},
		"get_invoice":  {"id": "INV-9"},
	} {
		result := call(t, session, tool, args, nil)
		text, _ := result.Content[0].(*mcp.TextContent)
		if !result.IsError || text == nil || !strings.HasPrefix(text.Text, "no i") {
			t.Errorf("%s: got %+v, want the error of the service", tool, text)
		}
	}
}
