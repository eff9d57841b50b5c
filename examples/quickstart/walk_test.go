package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/examples/internal/health"
	"github.com/drawbridge-rpc/drawbridge/examples/internal/inventory"
	"github.com/drawbridge-rpc/drawbridge/examples/proto/inventory/v1/inventoryv1connect"
)

// startServers runs all servers without a log.
func startServers(t *testing.T) *servers {
	t.Helper()
	return startServersWith(t, "")
}

// startServersWith runs all servers with a policy file.
func startServersWith(t *testing.T, policyFile string) *servers {
	t.Helper()
	s, err := open(t.Context(), "127.0.0.1:0", "", policyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The walk-through fails at the step that finds an unguarded server.
func TestWalkStopsAtAnOpenDoor(t *testing.T) {
	t.Parallel()
	s := newServices()
	mux := http.NewServeMux()
	mux.Handle(inventoryv1connect.NewInventoryServiceHandler(inventory.ConnectHandler{Service: s.inventory}))
	mux.Handle(health.NewHandler(s.health))
	unguarded := httptest.NewServer(mux)
	t.Cleanup(unguarded.Close)

	target := startServers(t).announcement()
	target.Connect = unguarded.URL
	err := walk(t.Context(), target, "", newNarrator(io.Discard))
	want := "step 2 (an RPC without a token, over Connect): expected an error with a challenge"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// It also notices an origin that differs from the one that was announced.
func TestWalkStopsAtAnotherResource(t *testing.T) {
	t.Parallel()
	target := startServers(t).announcement()
	target.Connect = strings.Replace(target.Connect, "127.0.0.1", "localhost", 1)
	target.GRPC = startServers(t).announcement().GRPC // of another process
	err := walk(t.Context(), target, "", newNarrator(io.Discard))
	if err == nil || !strings.HasPrefix(err.Error(), "step 3 (the same over gRPC): expected the challenge") {
		t.Errorf("got %v, want a complaint about the challenge of step 3", err)
	}
}

func TestInOrder(t *testing.T) {
	t.Parallel()
	seen := []*exchange{exchangeOf(t, "/a", 401), exchangeOf(t, "/b", 200), exchangeOf(t, "/a", 200)}
	for _, wants := range [][]string{
		{"GET /a 401"},
		{"GET /a 401", "GET /a 200"},
		{"GET /a 401", "GET /b 200", "GET /a 200"},
	} {
		if err := inOrder(seen, wants...); err != nil {
			t.Errorf("%q: %v", wants, err)
		}
	}
	for _, wants := range [][]string{
		{"GET /b 200"},
		{"GET /a 401", "GET /a 401"},
		{"GET /a 401", "GET /a 200", "GET /b 200"},
		{"GET /a 401", "GET /c 200"},
	} {
		if err := inOrder(seen, wants...); err == nil {
			t.Errorf("%q: no error", wants)
		}
	}
}

func exchangeOf(t *testing.T, path string, status int) *exchange {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	return &exchange{method: req.Method, url: req.URL, status: status}
}

func TestFold(t *testing.T) {
	t.Parallel()
	short := `  "error": "invalid_token"`
	if got := fold(short); !slices.Equal(got, []string{short}) {
		t.Errorf("a short line became %q", got)
	}
	long := "  " + strings.Repeat("word ", 30)
	got := fold(long)
	if len(got) != 3 || !strings.HasPrefix(got[0], "  word") || !strings.HasPrefix(got[1], "    word") {
		t.Errorf("a long line became %q", got)
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"short":                                "…",
		"0123456789abcdefghijklmnopqrstuvwxyz": "0123456789ab…uvwxyz",
	} {
		if got := shorten(token); got != want {
			t.Errorf("shorten(%q) = %q, want %q", token, got, want)
		}
	}
}

func TestDecodeTokenRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "a.b", "a.b.c.d", "!.e30.", "e30.!.", "e30.W10.x"} {
		if _, _, err := decodeToken(token); err == nil {
			t.Errorf("%q: no error", token)
		}
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	if err := same("it", 1, 1); err != nil {
		t.Error(err)
	}
	if err := errors.Join(same("it", 1, 2)); err == nil || err.Error() != "expected it to be 2, got 1" {
		t.Errorf("got %v", err)
	}
}
