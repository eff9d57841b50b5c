package exchange_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

func TestContext(t *testing.T) {
	t.Parallel()
	e := &exchange.Exchange{Denials: new(exchange.Recorder)}
	if got := exchange.FromContext(t.Context()); got != nil {
		t.Errorf("outside of a bridge: got %+v", got)
	}
	ctx := exchange.NewContext(t.Context(), e)
	if got := exchange.FromContext(ctx); got != e || got.Recorder() != e.Denials {
		t.Errorf("got %+v, want %+v", got, e)
	}
	// The bridge may keep the exchange in a context of its own.
	if got := exchange.FromContext(context.WithValue(t.Context(), exchange.Key{}, e)); got != e {
		t.Errorf("by its key: got %+v, want %+v", got, e)
	}
	hidden := exchange.FromContext(exchange.NewContext(ctx, nil))
	if hidden != nil || hidden.Recorder() != nil {
		t.Errorf("hidden: got %+v", hidden)
	}
}

// output counts calls.
type output struct {
	held     func([]byte) bool
	released int
}

func (o *output) Hold(holds func([]byte) bool) { o.held = holds }
func (o *output) Release()                     { o.released++ }

// TestHold: Hold and Release reach the output, and do nothing where there is none.
func TestHold(t *testing.T) {
	t.Parallel()
	all := func([]byte) bool { return true }
	for name, e := range map[string]*exchange.Exchange{"no exchange": nil, "no output": new(exchange.Exchange)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e.Hold(all)
			e.Release()
		})
	}
	o := new(output)
	e := &exchange.Exchange{Output: o}
	e.Hold(all)
	if o.held == nil || !o.held(nil) || o.released != 0 {
		t.Errorf("after Hold: %+v", o)
	}
	e.Release()
	if o.released != 1 {
		t.Errorf("released %d times", o.released)
	}
}

// TestNative: the first claim counts, with or without a denial.
func TestNative(t *testing.T) {
	t.Parallel()
	denial := challenge.NewDenial(challenge.ReasonNoCredentials, io.EOF)
	for _, tt := range []struct {
		name   string
		denial *challenge.DenialError
	}{
		{"let in", nil},
		{"denied", denial},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := new(exchange.Native)
			if procedure, denial := n.Claimed(); procedure != "" || denial != nil {
				t.Errorf("the zero Native: got %q, %v", procedure, denial)
			}
			n.Claim("/a.v1.A/Get", tt.denial)
			n.Claim("/b.v1.B/Get", challenge.NewDenial(challenge.ReasonInternal, nil))
			if procedure, denial := n.Claimed(); procedure != "/a.v1.A/Get" || denial != tt.denial {
				t.Errorf("got %q, %v", procedure, denial)
			}
		})
	}
}

// TestNativeConcurrently is for the race detector.
func TestNativeConcurrently(t *testing.T) {
	t.Parallel()
	n := new(exchange.Native)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			n.Claim("/a.v1.A/Get", nil)
			if procedure, _ := n.Claimed(); procedure != "/a.v1.A/Get" {
				t.Errorf("got %q", procedure)
			}
		})
	}
	group.Wait()
}

// TestNativeDeniesFurtherIn: a guard lets a call in and claims it, and an option
// of the handler denies it.
func TestNativeDeniesFurtherIn(t *testing.T) {
	t.Parallel()
	denial := challenge.NewDenial(challenge.ReasonInsufficientScope, nil)
	var n exchange.Native
	n.Claim("/api/a.v1.A/Get", nil)
	n.Claim("/a.v1.A/Get", denial)
	n.Claim("/a.v1.A/Get", nil)
	if procedure, got := n.Claimed(); procedure != "/api/a.v1.A/Get" || got != denial {
		t.Errorf("got %q, %v", procedure, got)
	}
}

func TestIsPreflight(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		header       http.Header
		want         bool
	}{
		{"MCP-11 a preflight", http.MethodOptions, http.Header{"Access-Control-Request-Method": {"POST"}}, true},
		{"an empty field", http.MethodOptions, http.Header{"Access-Control-Request-Method": {""}}, false},
		{"any OPTIONS", http.MethodOptions, nil, false},
		{"another method", http.MethodPost, http.Header{"Access-Control-Request-Method": {"POST"}}, false},
	} {
		if got := exchange.IsPreflight(&http.Request{Method: tt.method, Header: tt.header}); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}
