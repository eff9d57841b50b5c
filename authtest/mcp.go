package authtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// An MCPEndpoint is an MCP server for [AnonymousCheck], with the streamable HTTP
// transport. A refusal is HTTP status 401 with a challenge that has
// resource_metadata.
type MCPEndpoint struct {
	// Path is the path of the endpoint below the URL of the check, such as "/mcp".
	Path string
	// Public states that the endpoint lets anonymous callers in, and only some
	// messages require a token. Otherwise every message has to be refused.
	Public bool
	// Tools, Resources and Prompts are what an anonymous caller may not use:
	// names of tools, URIs of resources, and names of prompts.
	Tools, Resources, Prompts []string
}

// mcpVersion is a revision that every server of go-sdk speaks, with and without
// sessions.
const mcpVersion = "2025-11-25"

// A message is a JSON-RPC request of MCP.
type message struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      int            `json:"id,omitempty"` // 0 for a notification
	Method  string         `json:"method"`
	Params  map[string]any `json:"params"`

	what string // for reports
}

func newMessage(id int, method string, params map[string]any) message {
	return message{JSONRPC: "2.0", ID: id, Method: method, Params: params, what: method}
}

func (e MCPEndpoint) problems(ctx context.Context, p *prober) []string {
	initialize := newMessage(1, "initialize", map[string]any{
		"protocolVersion": mcpVersion,
		"capabilities":    map[string]any{},
		"clientInfo":      map[string]any{"name": "authtest", "version": "1"},
	})
	got, session := p.post(ctx, e.Path, "", initialize)
	var problems []string
	report := func(m message, problem string, got answer) {
		problems = append(problems, fmt.Sprintf("MCP endpoint %s %s: %s answered %s", e.Path, problem, m.what, got.text))
	}
	switch {
	case got.verdict == absent:
		report(initialize, "is not served", got)
		return problems
	case e.Public && got.verdict == refused:
		report(initialize, "is listed as public, and refuses an anonymous call", got)
	case !e.Public && got.verdict != refused:
		report(initialize, "does not refuse an anonymous call", got)
	}
	if session != "" {
		p.post(ctx, e.Path, session, newMessage(0, "notifications/initialized", map[string]any{}))
	}
	for _, m := range e.messages() {
		if got, _ := p.post(ctx, e.Path, session, m); got.verdict != refused {
			report(m, "does not refuse an anonymous call", got)
		}
	}
	return problems
}

// messages returns the messages that have to be refused, apart from initialize.
func (e MCPEndpoint) messages() []message {
	var all []message
	add := func(method, param string, values ...string) {
		for _, value := range values {
			m := newMessage(len(all)+2, method, map[string]any{param: value})
			m.what = method + " of " + value
			all = append(all, m)
		}
	}
	if !e.Public {
		all = append(all, newMessage(2, "tools/list", map[string]any{}))
	}
	add("tools/call", "name", e.Tools...)
	add("resources/read", "uri", e.Resources...)
	add("prompts/get", "name", e.Prompts...)
	return all
}

// post sends a message, and returns the answer and the session that it opened.
func (p *prober) post(ctx context.Context, path, session string, m message) (got answer, opened string) {
	body, err := json.Marshal(m)
	if err != nil {
		return failure(err), ""
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if session != "" {
		header.Set("Mcp-Session-Id", session)
	}
	if m.Method != "initialize" {
		header.Set("Mcp-Protocol-Version", mcpVersion)
	}
	err = p.send(ctx, request{http.MethodPost, path, header, string(body)}, func(response *http.Response) {
		opened = response.Header.Get("Mcp-Session-Id")
		switch response.StatusCode {
		case http.StatusUnauthorized:
			got = challenged(response)
		case http.StatusNotFound, http.StatusMethodNotAllowed:
			got = answer{verdict: absent, text: response.Status}
		default:
			got = answer{verdict: open, text: response.Status + excerpt(response.Body)}
		}
	})
	if err != nil {
		return failure(err), ""
	}
	return got, opened
}

// excerpt returns the beginning of a body for a report.
func excerpt(body io.Reader) string {
	const most = 200
	first := make([]byte, most)
	n, _ := io.ReadAtLeast(body, first, 1) // A body that breaks off is reported as far as it came.
	if n == 0 {
		return ""
	}
	return " with " + strings.Join(strings.Fields(string(first[:n])), " ")
}
