package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/mcptools"
	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// process is a quickstart -serve of its own.
type process struct {
	announcement

	command *exec.Cmd
	stdout  *bufio.Reader
	stderr  strings.Builder
}

func startProcess(t *testing.T) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	p := &process{command: exec.CommandContext(ctx, os.Args[0], "-serve", "-listen", "127.0.0.1:0")}
	p.command.Env = append(os.Environ(), asQuickstart+"=1")
	p.command.Stderr = &p.stderr
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(stdout)
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("no line on stdout: %v\n%s", err, &p.stderr)
	}
	decode(t, strings.NewReader(line), &p.announcement)
	return p
}

// end sends a signal and expects a clean exit, with no further output on stdout.
func (p *process) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(p.stdout)
	if err != nil {
		t.Error(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("after %s: %v\n%s", signal, err, &p.stderr)
	}
	if len(rest) > 0 {
		t.Errorf("a second line on stdout: %q", rest)
	}
}

func decode(t *testing.T, from io.Reader, into any) {
	t.Helper()
	decoder := json.NewDecoder(from)
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// answer is an HTTP response.
type answer struct {
	status    int
	challenge string
	body      string
}

// post sends an empty JSON object, as curl would to call a unary RPC.
func post(t *testing.T, address, token string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), string(body)}
}

func TestServe(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	list := p.Connect + inventoryv1.InventoryService_ListItems_FullMethodName

	refused := post(t, list, "")
	if refused.status != http.StatusUnauthorized || !strings.HasPrefix(refused.challenge, "Bearer ") {
		t.Errorf("without a token: %+v", refused)
	}
	token := clientToken(t, p.announcement, readStock, p.Connect)
	if listed := post(t, list, token); listed.status != http.StatusOK || !strings.Contains(listed.body, "BOLT-M8") {
		t.Errorf("with a token: %+v", listed)
	}
	if elsewhere := post(t, p.MCP, token); elsewhere.status != http.StatusUnauthorized {
		t.Errorf("with a token for another resource: %+v", elsewhere)
	}
	callMCP(t, p.announcement)
	p.end(t, syscall.SIGTERM)
}

// callMCP uses everything with the client of the go-sdk and a token that a service
// got for itself.
func callMCP(t *testing.T, target announcement) {
	t.Helper()
	token := clientToken(t, target, strings.Join([]string{useMCP, writeStock, readBilling}, " "), target.MCP)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint:   target.MCP,
		HTTPClient: &http.Client{Transport: bearer{next: http.DefaultTransport, token: token}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for tool, args := range map[string]map[string]any{
		"list_items":   {},
		"adjust_stock": {"sku": "NUT-M8", "delta": 1},
		"get_invoice":  {"id": "INV-1002"},
	} {
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
		if err != nil || result.IsError {
			t.Errorf("%s: %+v, %v", tool, result, err)
		}
	}
	if _, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: mcptools.ItemURI("NUT-M8")}); err != nil {
		t.Error(err)
	}
	if _, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "restock", Arguments: map[string]string{"sku": "NUT-M8"}}); err != nil {
		t.Error(err)
	}
	listed, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range listed.Tools {
		if mcptools.Tools()[tool.Name] == "" {
			t.Errorf("an unknown tool %s", tool.Name)
		}
	}
}

// An open stream does not keep the servers from shutting down.
func TestServeEndsWithStreamsOpen(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	token := clientToken(t, p.announcement, readStock, p.Connect)
	wire := newTap(true)
	t.Cleanup(wire.close)
	w := walker{target: p.announcement}
	stream, err := w.inventory(wire, token).WatchStock(t.Context(), &inventoryv1.WatchStockRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Receive() {
		t.Fatal(stream.Err())
	}
	p.end(t, os.Interrupt)
}

// Clients depend on the announcement, so its names do not change.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(startServers(t).announcement())
	if err != nil {
		t.Fatal(err)
	}
	var fields struct {
		Issuer        string           `json:"issuer"`
		TokenEndpoint string           `json:"token_endpoint"`
		Connect       string           `json:"connect"`
		GRPC          string           `json:"grpc"`
		MCP           string           `json:"mcp"`
		Clients       []map[string]any `json:"clients"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	if fields.MCP != fields.Connect+"/mcp" || !strings.HasPrefix(fields.TokenEndpoint, fields.Issuer+"/") || strings.Contains(fields.GRPC, "/") {
		t.Errorf("got %s", encoded)
	}
	var grants []string
	for _, client := range fields.Clients {
		for _, member := range []string{"client_id", "client_secret", "grant_types", "redirect_uris"} {
			if client[member] == nil {
				t.Errorf("client %v has no %s", client["client_id"], member)
			}
		}
		for _, grant := range client["grant_types"].([]any) {
			grants = append(grants, grant.(string))
		}
	}
	if want := []string{"client_credentials", "authorization_code", "client_credentials", "client_credentials"}; !slices.Equal(grants, want) {
		t.Errorf("the grants are %q, want %q", grants, want)
	}
	for i, want := range []map[string]any{
		{"client_id": serviceClient},
		{"client_id": nativeClient},
		{"client_id": opaqueClient, "token_format": "opaque", "token_endpoint_auth_method": "client_secret_basic"},
		{"client_id": dpopClient, "dpop": true, "token_endpoint_auth_method": "client_secret_basic"},
	} {
		for _, member := range []string{"client_id", "token_format", "dpop", "token_endpoint_auth_method"} {
			if got := fields.Clients[i][member]; got != want[member] {
				t.Errorf("client %d: %s is %v, want %v", i, member, got, want[member])
			}
		}
	}
}

// Behind a reverse proxy, the resource identifiers, the challenge and the metadata
// are those of the proxy, whatever address the server listens on.
func TestServeBehindAProxy(t *testing.T) {
	t.Parallel()
	sockets, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sockets.close() })
	const origin = "https://api.example.com"
	s, err := build(sockets, origin, "policy.yaml", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if target := s.announcement(); target.Connect != origin || target.MCP != origin+mcpPath {
		t.Errorf("the announcement names %s and %s", target.Connect, target.MCP)
	}
	for path, want := range map[string]string{
		inventoryv1.InventoryService_ListItems_FullMethodName: origin + "/.well-known/oauth-protected-resource",
		mcpPath: origin + "/.well-known/oauth-protected-resource/mcp",
	} {
		refused := httptest.NewRecorder()
		s.connect.Handler.ServeHTTP(refused, httptest.NewRequestWithContext(t.Context(), http.MethodPost, origin+path, http.NoBody))
		challenge, err := parseChallenge(refused.Header().Get("WWW-Authenticate"))
		if err != nil || challenge.metadata != want {
			t.Errorf("%s: the challenge is %q (%v), want %s", path, challenge.header, err, want)
		}
	}
}

func TestReplaceHost(t *testing.T) {
	t.Parallel()
	for absolute, want := range map[string]string{
		"http://127.0.0.1:8080/mcp": "http://localhost:8080/mcp",
		"http://[::1]:8080":         "http://localhost:8080",
		"http://[::1]/mcp":          "http://localhost/mcp",
		"https://api.example.com/":  "https://localhost/",
	} {
		if got := replaceHost(absolute, "localhost"); got != want {
			t.Errorf("%s became %s, want %s", absolute, got, want)
		}
	}
}
