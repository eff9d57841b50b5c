package mcpbridge_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// post2026 sends a call of revision 2026-07-28 with the fields that name its
// method and what it is about.
func (e *endpoint) post2026(t *testing.T, raw, method, params, headerMethod, headerName string) reply {
	t.Helper()
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	params = strings.TrimSuffix(params, "}")
	if params != "{" {
		params += ","
	}
	header := http.Header{"Mcp-Method": {headerMethod}}
	if headerName != "" {
		header.Set("Mcp-Name", headerName)
	}
	return e.postAs(t, "2026-07-28", e.url, raw, "", message(method, params+meta+"}"), header)
}

// TestHeaderMismatch: the fields Mcp-Method and Mcp-Name must match the body, also
// behind the guard, and the body is what is decided (MCP-9).
func TestHeaderMismatch(t *testing.T) {
	t.Parallel()
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
			const mismatch, forbidden = `"code":-32020`, "insufficient_scope"
			for _, row := range []struct {
				name, method, params     string
				headerMethod, headerName string
				status                   int
				body, ran                string
			}{
				{"the same", "tools/call", `{"name":"look"}`, "tools/call", "look", http.StatusOK, "done", "look"},
				{"the same, denied", "tools/call", `{"name":"alter"}`, "tools/call", "alter", http.StatusForbidden, forbidden, ""},
				{"MCP-9 another tool", "tools/call", `{"name":"alter"}`, "tools/call", "look", http.StatusBadRequest, mismatch, ""},
				{"MCP-9 a tool that would be denied", "tools/call", `{"name":"look"}`, "tools/call", "alter", http.StatusBadRequest, mismatch, ""},
				{"MCP-9 no name", "tools/call", `{"name":"look"}`, "tools/call", "", http.StatusBadRequest, mismatch, ""},
				{"MCP-9 another method", "tools/call", `{"name":"look"}`, "tools/list", "look", http.StatusBadRequest, mismatch, ""},
				{"MCP-9 another resource", "resources/read", `{"uri":"stock://items/secret"}`, "resources/read", "stock://list", http.StatusBadRequest, mismatch, ""},
				{"MCP-9 another prompt", "prompts/get", `{"name":"restock"}`, "prompts/get", "greet", http.StatusBadRequest, mismatch, ""},
				{"a tool without an entry", "tools/call", `{"name":"forgotten"}`, "tools/call", "forgotten", http.StatusBadRequest, "unknown tool", ""},
				{"discovery", "server/discover", `{}`, "server/discover", "", http.StatusOK, "supportedVersions", ""},
				{"a method without an entry", "acme/forgotten", `{}`, "acme/forgotten", "", http.StatusNotFound, "method not found", ""},
				{"a method that does not exist", "acme/nothing", `{}`, "acme/nothing", "", http.StatusNotFound, "acme/nothing", ""},
			} {
				got := e.post2026(t, e.mint("read"), row.method, row.params, row.headerMethod, row.headerName)
				if got.status != row.status || !strings.Contains(got.body, row.body) {
					t.Errorf("%s: %+v, want %d %s", row.name, got, row.status, row.body)
				}
				if ran := e.calls(); ran != row.ran {
					t.Errorf("%s: ran %q, want %q", row.name, ran, row.ran)
				}
			}
			// An older revision does not know the field.
			got := e.postAs(t, "2025-11-25", e.url, e.mint("read"), "", callTool("alter"), http.Header{"Mcp-Name": {"look"}})
			if ran := e.calls(); got.status != http.StatusForbidden || ran != "" {
				t.Errorf("MCP-9: %+v, ran %q, want 403", got, ran)
			}
		})
	}
}

// TestListening: a stream of revision 2026-07-28 is decided as a subscription is,
// for each of its resources; the changes of lists are open as the lists are
// (MCP-12).
func TestListening(t *testing.T) {
	t.Parallel()
	for _, m := range modes[:2] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			e := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
			for _, row := range []struct {
				name, notifications string
				status              int
				body                string
			}{
				{"nothing", `{}`, http.StatusOK, "acknowledged"},
				{"MCP-12 a resource, without its scope", `{"resourceSubscriptions":["stock://list"]}`, http.StatusForbidden, "insufficient_scope"},
				{"MCP-12 one of several, without its scope", `{"resourceSubscriptions":["stock://welcome","stock://list"]}`, http.StatusForbidden, "insufficient_scope"},
				{"MCP-12 a resource that no entry matches", `{"resourceSubscriptions":["stock://welcome","other://x"]}`, http.StatusBadRequest, "Resource not found"},
				{"MCP-12 a resource without an entry", `{"resourceSubscriptions":["stock://welcome","stock://items/forgotten"]}`, http.StatusBadRequest, "Resource not found"},
			} {
				got := e.post2026(t, e.mint("none"), "subscriptions/listen", `{"notifications":`+row.notifications+`}`, "subscriptions/listen", "")
				if got.status != row.status || !strings.Contains(got.body, row.body) {
					t.Errorf("%s: %+v, want %d %s", row.name, got, row.status, row.body)
				}
				if ran := e.calls(); ran != "" {
					t.Errorf("MCP-12: %s: ran %q", row.name, ran)
				}
			}
		})
	}
}

// TestClientStepsUpForEverything: the client of go-sdk reaches resources, prompts,
// completion and subscriptions by following challenges alone, in the newest
// revision that the endpoint speaks (MCP-12).
func TestClientStepsUpForEverything(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
		granting := &authority{e: e}
		client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{
			// Makes the client listen to changes.
			ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {},
		})
		session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: e.url, OAuthHandler: granting}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		ref := &mcp.CompleteReference{Type: "ref/resource", URI: "stock://items/{sku}/history{?to}"}
		for _, call := range []func() error{
			func() error {
				_, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "stock://items/secret"})
				return err
			},
			func() error {
				return session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "stock://items/bolt"})
			},
			func() error {
				_, err := session.Complete(t.Context(), &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: "sku", Value: "B"}})
				return err
			},
			func() error {
				_, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "restock"})
				return err
			},
		} {
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		granting.mu.Lock()
		defer granting.mu.Unlock()
		if slices.Sort(granting.granted); !slices.Equal(granting.granted, []string{"read", "tool", "write"}) {
			t.Errorf("MCP-12: granted %q after %q", granting.granted, granting.asked)
		}
		for _, asked := range granting.asked[1:] {
			if !strings.HasPrefix(asked, "403 insufficient_scope [") {
				t.Errorf("MCP-12: asked %q", asked)
			}
		}
	})
}
