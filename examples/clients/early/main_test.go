package main

import (
	"net/http"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
)

// TestGo: no response is lost to the Go clients, which need nothing but Go.
func TestGo(t *testing.T) {
	t.Parallel()
	for name, newHandler := range map[string]func(*httpbridge.Bridge) http.Handler{"guarded": guarded, "bridged": bridged} {
		base, err := serve(t.Context(), newHandler)
		if err != nil {
			t.Fatal(err)
		}
		r := row{name: name, call: callGo, base: base}
		for _, p := range everything {
			for _, size := range withLarge {
				if lost := r.count(t.Context(), t.Output(), p, size, 3); lost > 0 {
					t.Errorf("%s: %s with %d bytes: %d lost", name, p, size, lost)
				}
			}
		}
	}
}
