package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestCommand: the exit code says how it ended, and the table has every kind.
func TestCommand(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context //nolint:containedctx // It is an argument.
		args string
		code int
		want []string
	}{
		"a short run": {
			t.Context(), "-bad 50 -rounds 1 -rate 500 -lasts 20ms -heap 0 -concurrency 8 -latency 0s", 0,
			[]string{"nothing (control)", "an unknown key", "a wrong signature", "opaque garbage", "JWT, known", "JWT, new", "opaque, known", "opaque, new", "asked again"},
		},
		"interrupted":     {ended, "", 1, []string{"canceled"}},
		"an unknown flag": {t.Context(), "-unknown", 2, []string{"not defined"}},
		"an argument":     {t.Context(), "now", 2, []string{"no arguments"}},
		"no round":        {t.Context(), "-rounds 0", 2, []string{"one at least"}},
	} {
		var out bytes.Buffer
		if code := command(tt.ctx, strings.Fields(tt.args), &out); code != tt.code {
			t.Errorf("%s: got %d, want %d", name, code, tt.code)
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in\n%s", name, want, out.String())
			}
		}
	}
}

// TestRefuse: a bad token that is accepted, or that is refused for another reason, ends
// the run.
func TestRefuse(t *testing.T) {
	w, err := newWorld(0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for raw, isRefused := range map[string]bool{w.fresh[0]: false, goodPrefix + "1": false, "garbage": true} {
		if err := w.refuse(w.verifier, raw, token.ErrInvalid); (err == nil) != isRefused {
			t.Errorf("%s: got %v", raw, err)
		}
	}
	if err := w.refuse(w.verifier, "garbage", token.ErrUnavailable); err == nil {
		t.Error("of another class: no error")
	}
}

func TestQuantile(t *testing.T) {
	var l latencies
	if got := l.quantile(0.5); got != 0 {
		t.Errorf("none: got %v", got)
	}
	for i := range 1000 {
		l = append(l, time.Duration(i))
	}
	for part, want := range map[float64]time.Duration{0: 0, 0.5: 500, 0.99: 990, 0.999: 999, 1: 999} {
		if got := l.quantile(part); got != want {
			t.Errorf("%v: got %v, want %v", part, got, want)
		}
	}
}
