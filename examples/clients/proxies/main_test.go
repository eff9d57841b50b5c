package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	inventoryv1 "github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1"
)

// Without a proxy in between, each site leads to the URL that clients use.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	const nginx, haproxy = "http://127.0.0.1:8001", "http://127.0.0.1:8002"
	go func() {
		err := run(ctx, writer, []string{nginx, haproxy})
		ended <- err
		_ = writer.CloseWithError(err)
	}()
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var announcement map[string]string
	if err := json.Unmarshal(line, &announcement); err != nil {
		t.Fatal(err)
	}

	const wellKnown = "/.well-known/oauth-protected-resource"
	const list = inventoryv1.InventoryService_ListItems_FullMethodName
	for _, test := range []struct{ site, host, path, metadata string }{
		{"kept", "", "/api" + list, nginx + wellKnown + "/api"},
		{"kept", "127.0.0.1:8002", "/api" + list, haproxy + wellKnown + "/api"},
		{"kept", "", "/api/mcp", nginx + wellKnown + "/api/mcp"},
		{"stripped", "", list, nginx + wellKnown + "/stripped"},
		{"stripped", "", "/mcp", nginx + wellKnown + "/stripped/mcp"},
		{"untrusted", "127.0.0.1:8002", list, haproxy + wellKnown},
		{"untrusted", "backend.test", list, "https://api.example.com" + wellKnown},
		{"trusted", "backend.test", list, haproxy + wellKnown},
		{"forwarded", "backend.test", list, nginx + wellKnown},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+announcement[test.site]+test.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = test.host
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Forwarded-Host", "127.0.0.1:8002")
		req.Header.Set("Forwarded", `host="127.0.0.1:8001";proto=http`)
		req.Header.Set("X-Forwarded-Proto", "http")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got := resp.Header.Get("WWW-Authenticate")
		if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(got, `resource_metadata="`+test.metadata+`"`) {
			t.Errorf("%s, host %q, %s: status %d and %q, want 401 and %s", test.site, test.host, test.path, resp.StatusCode, got, test.metadata)
		}
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunReportsFaults(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), io.Discard, []string{"http://api.example.com"})
	if err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("got %v, want a complaint about http", err)
	}
}
