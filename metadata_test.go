package drawbridge_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	const cased = "https://Alias.example.com:8443"
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{
			resource(base),
			{
				Identifier: base + "/mcp", AuthorizationServers: []string{issuer, "https://second.example.com"}, Aliases: []string{cased},
				Name: "The <tools>", DocumentationURL: "https://docs.example.com/?a=b",
			},
			resource(base + "/slash/"),
			resource(base + "/caf%c3%A9"),
		}
		cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Rule: policy.Rule{AnyScopes: []string{"b", "a"}, Scopes: []string{rpctest.ScopeWrite}}}
	})
	const tail = `"scopes_supported":["a","b","guarded:write"],"bearer_methods_supported":["header"]`
	for _, tt := range []struct {
		name, path, host string // path as it was sent
		want             string // empty if there is no document
	}{
		{"R9728-2.b zero members are left out", "/", "", `{"resource":"https://api.example.com","authorization_servers":["https://login.example.com"],` + tail + `}`},
		{"R9728-3.c all members", "/mcp", "", `{"resource":"https://api.example.com/mcp","authorization_servers":["https://login.example.com","https://second.example.com"],` + tail + `,"resource_name":"The \u003ctools\u003e","resource_documentation":"https://docs.example.com/?a=b"}`},
		{"R9728-3.c under an alias", "/mcp", "alias.example.com:8443", `{"resource":"https://Alias.example.com:8443/mcp","authorization_servers":["https://login.example.com","https://second.example.com"],` + tail + `,"resource_name":"The \u003ctools\u003e","resource_documentation":"https://docs.example.com/?a=b"}`},
		{"SEED-6 an alias of another resource", "/", "alias.example.com:8443", `{"resource":"https://api.example.com","authorization_servers":["https://login.example.com"],` + tail + `}`},
		{"R9728-3.c a slash at the end is kept", "/slash/", "", `{"resource":"https://api.example.com/slash/","authorization_servers":["https://login.example.com"],` + tail + `}`},
		{"R9728-3.c an escape is kept", "/caf%c3%A9", "", `{"resource":"https://api.example.com/caf%c3%A9","authorization_servers":["https://login.example.com"],` + tail + `}`},
		{"R9728-3.c an escape in another case is the same path", "/caf%C3%a9", "", `{"resource":"https://api.example.com/caf%c3%A9","authorization_servers":["https://login.example.com"],` + tail + `}`},
		{"CVE-2021-29492 an escaped letter is the same path", "/%6dcp", "", `{"resource":"https://api.example.com/mcp","authorization_servers":["https://login.example.com","https://second.example.com"],` + tail + `,"resource_name":"The \u003ctools\u003e","resource_documentation":"https://docs.example.com/?a=b"}`},
		{"R9728-3.c below a resource", "/mcp/x", "", ""},
		{"R9728-3.c another path", "/other", "", ""},
		{"R9728-3.c in capitals", "/MCP", "", ""},
		{"R9728-3.c two slashes", "/mcp//", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := at(t, wellKnown+tt.path)
			req.Host = tt.host
			document, ok := a.Metadata(t.Context(), req.Request())
			if ok != (tt.want != "") {
				t.Fatalf("got %+v, %t", document, ok)
			}
			if !ok {
				return
			}
			got, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestMetadataIsByteForByte: the identifier in the document is the configured one,
// and the URL of the document is built from it (R9728-3.a, R9728-3.c, SEED-5).
func TestMetadataIsByteForByte(t *testing.T) {
	t.Parallel()
	for identifier, want := range map[string]string{
		base:                             base + wellKnown,
		base + "/":                       base + wellKnown,
		base + "/mcp":                    base + wellKnown + "/mcp",
		base + "/mcp/":                   base + wellKnown + "/mcp/",
		base + "/a/b":                    base + wellKnown + "/a/b",
		base + ":443":                    base + ":443" + wellKnown,
		base + ":8443/mcp":               base + ":8443" + wellKnown + "/mcp",
		"https://API.Example.com/MCP":    "https://API.Example.com" + wellKnown + "/MCP",
		"https://[2001:DB8::1]/x":        "https://[2001:DB8::1]" + wellKnown + "/x",
		base + "/~user/(x)!$&'*+,;=:@-_": base + wellKnown + "/~user/(x)!$&'*+,;=:@-_",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080" + wellKnown,
	} {
		a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = resources(identifier) })
		_, rest, _ := strings.Cut(identifier, "://")
		_, path, _ := strings.Cut(rest, "/")
		req := at(t, "/"+path)
		if got := metadataURL(t.Context(), a, req); got != want {
			t.Errorf("R9728-3.a: %s: got %s, want %s", identifier, got, want)
		}
		if document, ok := a.Metadata(t.Context(), at(t, wellKnown+"/"+path).Request()); !ok || document.Resource != identifier {
			t.Errorf("R9728-3.c: %s: got %q, %t", identifier, document.Resource, ok)
		}
	}
}

// TestNoOfflineAccess: a resource does not ask for refresh tokens, and a policy
// without scopes has no list of them (MCP-6, R9728-2.b).
func TestNoOfflineAccess(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Rule: policy.Rule{Scopes: []string{"a", "offline_access"}}}
	if got := faultsOf(t, cfg); len(got) != 1 || got[0].Value != "offline_access" && !strings.Contains(got[0].Reason, "offline_access") {
		t.Errorf("MCP-6: got %+v", got)
	}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services[rpctest.GuardedService] = policy.Service{Rule: policy.Rule{Authenticated: true}}
	})
	document, _ := a.Metadata(t.Context(), sent{Path: wellKnown}.Request())
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "scopes_supported") {
		t.Errorf("R9728-2.b: got %s", text)
	}
	_, err = authorize(t.Context(), a, sent{Procedure: guarded})
	if got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge; len(got.Scopes) != 0 || strings.Contains(got.Header(), "scope") {
		t.Errorf("got %+v", got)
	}
}

// TestChallengeScopes: one challenge asks for all that the operation needs, whether
// the caller has no token or too little (MCP-3, MCP-4).
func TestChallengeScopes(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["a.v1.A"] = policy.Service{NoDescriptor: true, Rule: policy.Rule{
			Scopes: []string{"z", rpctest.ScopeRead}, AnyScopes: []string{"n", "m"},
		}}
	})
	want := []string{"z", rpctest.ScopeRead, "n"}
	for reason, values := range map[challenge.Reason][]string{
		challenge.ReasonNoCredentials:     nil,
		challenge.ReasonInvalidToken:      bearer("t-unknown"),
		challenge.ReasonInsufficientScope: bearer("t-admin"),
		challenge.ReasonInvalidRequest:    {"Bearer"},
	} {
		_, err := authorize(t.Context(), a, sent{Procedure: "/a.v1.A/Get", Authorization: values})
		if got := denialOf(t, err, reason).Challenge.Scopes; !slices.Equal(got, want) {
			t.Errorf("MCP-4: %v: got %q, want %q", reason, got, want)
		}
	}
}

// TestFurtherMetadata: members that only the configuration knows are in the document,
// and none can contradict what follows from the rest (RFC 9728 §2).
func TestFurtherMetadata(t *testing.T) {
	t.Parallel()
	values := map[string]any{"resource_policy_uri": "https://api.example.com/policy", "mcp_extensions_supported": []string{"a"}, "x<": true}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources[0].Metadata = values })
	clear(values)
	document, ok := a.Metadata(t.Context(), sent{Path: wellKnown}.Request())
	if !ok {
		t.Fatal("no document")
	}
	clear(document.Further)
	document, _ = a.Metadata(t.Context(), sent{Path: wellKnown}.Request())
	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	if got["resource"] != base || got["resource_policy_uri"] != "https://api.example.com/policy" || got["x<"] != true || len(got["mcp_extensions_supported"].([]any)) != 1 {
		t.Errorf("got %s", encoded)
	}
	for name, value := range map[string]any{
		"": "x", "resource": "https://evil.example", "Resource": "https://evil.example", "dpop_bound_access_tokens_required": false, "signed_metadata": "x",
		"R9728-2.b null": nil, "R9728-2.b empty": []string{}, "R9728-2.b no text": "", "a function": func() {},
	} {
		cfg := config()
		cfg.Resources[0].Metadata = map[string]any{name: value}
		if faults := faultsOf(t, cfg); len(faults) != 1 || !strings.Contains(faults[0].Place, "Resources[0].Metadata[") {
			t.Errorf("%q: got %v", name, faults)
		}
	}
}
