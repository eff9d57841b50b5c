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

// Every tool, resource template and prompt has an RPC, whose rule guards it.
func TestEverythingHasAProcedure(t *testing.T) {
	t.Parallel()
	session := connect(t)
	var tools, templates, prompts []string
	for tool, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		tools = append(tools, tool.Name)
	}
	for template, err := range session.ResourceTemplates(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		templates = append(templates, template.URITemplate)
	}
	for prompt, err := range session.Prompts(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		prompts = append(prompts, prompt.Name)
	}
	for _, row := range []struct {
		what       string
		names      []string
		procedures map[string]string
	}{
		{"tools", tools, mcptools.Tools()},
		{"resource templates", templates, mcptools.Resources()},
		{"prompts", prompts, mcptools.Prompts()},
	} {
		slices.Sort(row.names)
		if want := slices.Sorted(maps.Keys(row.procedures)); !slices.Equal(row.names, want) {
			t.Errorf("the %s are %q, those with a procedure %q", row.what, row.names, want)
		}
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	session := connect(t)
	for uri, want := range map[string]string{
		mcptools.ItemURI("NUT-M8"):   `{"sku":"NUT-M8","name":"Nut M8","quantity":10}`,
		"inventory://items/NUT%2DM8": `{"sku":"NUT-M8","name":"Nut M8","quantity":10}`,
		mcptools.ItemURI("NUT"):      "", // a part of one
		mcptools.ItemURI("GEAR"):     "",
		"inventory://items/":         "",
	} {
		read, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "not found") {
				t.Errorf("%s: %v, want an error", uri, err)
			}
			continue
		}
		if err != nil || read.Contents[0].Text != want || read.Contents[0].MIMEType != "application/json" {
			t.Errorf("%s: %+v, %v, want %s", uri, read, err, want)
		}
	}
}

func TestRestock(t *testing.T) {
	t.Parallel()
	session := connect(t)
	got, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "restock", Arguments: map[string]string{"sku": "NUT-M8"}})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := got.Messages[0].Content.(*mcp.TextContent); text == nil || !strings.Contains(text.Text, "10 pieces of Nut M8 (NUT-M8)") {
		t.Errorf("got %+v", got.Messages[0].Content)
	}
	for _, sku := range []string{"GEAR", ""} {
		if _, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "restock", Arguments: map[string]string{"sku": sku}}); err == nil {
			t.Errorf("%q: no error", sku)
		}
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
