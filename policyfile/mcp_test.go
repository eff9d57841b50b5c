package policyfile_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"
)

// user has a token, and lets nothing more be granted to it. A client of go-sdk ends its
// session if it gets 403 again after more was granted.
type user struct{}

func (user) TokenSource(context.Context) (oauth2.TokenSource, error) {
	return oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"}), nil
}

func (user) Authorize(_ context.Context, _ *http.Request, res *http.Response) error {
	_ = res.Body.Close()
	return errors.New("declined")
}

// mcpFile is a policy for an MCP server with the tools look and alter, of which each has a
// method.
func mcpFile(methods string) string {
	return "services:\n  " + service + ":\n    no_descriptor: true\n    rule: {authenticated: true}\n    methods: {" + methods + "}\n"
}

// TestMCPSession: the session of an MCP client goes on over reloads. A tool whose rule
// went is denied and logged, is not in the list, and comes back with its rule.
func TestMCPSession(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, path, mcpFile("Look: {scopes: [read]}, Alter: {scopes: [read]}"))
	log := newJournal()
	var authorizer *drawbridge.Authorizer
	applied := make(chan struct{}, 10)
	w := newWatcher(t, path, log, func(p policy.Policy) (err error) {
		cfg := serverConfig()
		cfg.Policy, cfg.Logger = p, slog.New(log)
		if authorizer == nil {
			authorizer, err = drawbridge.New(cfg)
			return err
		}
		defer func() { applied <- struct{}{} }()
		return authorizer.Reconfigure(cfg)
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	session := connect(t, authorizer)
	id := session.ID()
	if id == "" {
		t.Fatal("the server keeps no sessions")
	}
	for _, tt := range []struct {
		methods, tools string
		isAllowed      bool
	}{
		{"Look: {scopes: [read]}, Alter: {scopes: [read]}", "alter look", true},
		{"Look: {scopes: [read]}, Alter: {denied: true}", "look", false},
		{"Look: {authenticated: true}, Alter: {any_scopes: [read, write]}", "alter look", true},
		{"Look: {public: true}, Alter: {claims: [{path: [role], any_of: [admin]}]}", "look", false},
		{"Look: {scopes: [read]}, Alter: {scopes: [write]}", "alter look", false},
		{"Look: {scopes: [read]}, Alter: {scopes: [read]}", "alter look", true},
	} {
		if got := read(t, path); got != mcpFile(tt.methods) {
			write(t, path, mcpFile(tt.methods))
			<-applied
		}
		if got := toolsOf(t, session); got != tt.tools {
			t.Errorf("%s: the tools are %q, want %q", tt.methods, got, tt.tools)
		}
		if got, err := call(t, session, "look"); got != "look" || err != nil {
			t.Errorf("%s: look: got %q, %v", tt.methods, got, err)
		}
		if got, err := call(t, session, "alter"); (err == nil) != tt.isAllowed || tt.isAllowed && got != "alter" {
			t.Errorf("%s: alter: got %q, %v", tt.methods, got, err)
		}
		if session.ID() != id {
			t.Errorf("%s: the session is %q, want %q", tt.methods, session.ID(), id)
		}
	}
	if record := log.await(t, 1, "reason=not_found"); !strings.Contains(record, `procedure=/a.v1.A/Alter`) {
		t.Errorf("got %s", record)
	}
	if record := log.await(t, 1, "reason=forbidden"); !strings.Contains(record, "rule="+path+":5") {
		t.Errorf("got %s", record)
	}
}

// connect serves the tools look and alter, and returns the session of a client.
func connect(t *testing.T, authorizer *drawbridge.Authorizer) *mcp.ClientSession {
	t.Helper()
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: authorizer})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := mcpbridge.New(mcpbridge.Config{Bridge: bridge, Service: service, Tools: map[string]string{
		"look": "/" + service + "/Look", "alter": "/" + service + "/Alter",
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	for _, name := range []string{"look", "alter"} {
		mcp.AddTool(server, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name}}}, nil, nil
		})
	}
	served := httptest.NewServer(guard.Handler(func(*http.Request) *mcp.Server { return server }, nil))
	t.Cleanup(served.Close)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: served.URL, OAuthHandler: user{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

func call(t *testing.T, session *mcp.ClientSession, tool string) (text string, err error) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: map[string]any{}})
	if err != nil {
		return "", err
	}
	return result.Content[0].(*mcp.TextContent).Text, nil
}

func toolsOf(t *testing.T, session *mcp.ClientSession) string {
	t.Helper()
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	return strings.Join(names, " ")
}
