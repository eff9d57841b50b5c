package connectauth

import (
	"context"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestStreamType: what a descriptor says of a procedure is remembered as it is. A
// stream that was taken for a unary call would outlive its token.
func TestStreamType(t *testing.T) {
	t.Parallel()
	g := &guard{}
	for range 2 {
		for method, want := range map[string]connect.StreamType{
			rpctest.Unary: connect.StreamTypeUnary, rpctest.Client: connect.StreamTypeClient,
			rpctest.Server: connect.StreamTypeServer, rpctest.Bidi: connect.StreamTypeBidi,
		} {
			if got := g.streamType(rpctest.Procedure(rpctest.GuardedService, method)); got != want {
				t.Errorf("%s: got %v, want %v", method, got, want)
			}
		}
		for _, unknown := range []string{"/not.described.v1.Service/Get", "/"} {
			if got := g.streamType(unknown); got != connect.StreamTypeBidi {
				t.Errorf("%s: got %v", unknown, got)
			}
		}
	}
}

// expiring verifies every token, and lets it expire after some time.
type expiring time.Duration

func (e expiring) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return &token.Info{
		Issuer: rpctest.Issuer, Subject: "ada", Audience: []string{rpctest.Resource},
		Scopes: []string{rpctest.ScopeWrite}, Expiry: time.Now().Add(time.Duration(e)),
	}, nil
}

// TestExpiryOf: of two guards, the one whose token expires first ends the stream.
func TestExpiryOf(t *testing.T) {
	t.Parallel()
	caller := func(lifetime time.Duration) *drawbridge.Caller {
		w := rpctest.NewWorld(t, func(cfg *drawbridge.Config) { cfg.Verifier = expiring(lifetime) })
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rpctest.Resource+"/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer any")
		req := drawbridge.HTTPRequest(r)
		req.Procedure = rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
		found := new(drawbridge.Caller)
		if denial := w.Adapter().Decide(t.Context(), &req, found); denial != nil {
			t.Fatal(denial)
		}
		return found
	}
	short, long := caller(time.Minute), caller(time.Hour)
	for _, tt := range []struct {
		name         string
		outer, inner *drawbridge.Caller
		want         bool
	}{
		{"the outer ends before", short, long, true},
		{"both end at once", long, long, true},
		{"the inner ends before", long, short, false},
	} {
		ctx := context.WithValue(t.Context(), streamKey{}, &expiringStream{caller: tt.outer})
		if got := expires(ctx, tt.inner); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}
