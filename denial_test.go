package drawbridge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

// TestDenialOverWire: a denial that is made here, sent, and read again has the
// same reason and challenge (RPC-3).
func TestDenialOverWire(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	for reason, call := range map[challenge.Reason]sent{
		challenge.ReasonNoCredentials:     {Procedure: guarded},
		challenge.ReasonInvalidRequest:    {Procedure: guarded, Authorization: []string{"Bearer"}},
		challenge.ReasonInvalidToken:      {Procedure: guarded, Authorization: bearer("t-unknown")},
		challenge.ReasonInsufficientScope: {Procedure: guarded, Authorization: bearer("t-reader")},
		challenge.ReasonNotFound:          {Procedure: nowhere, Authorization: bearer("t-reader")},
	} {
		_, err := authorize(t.Context(), a, call)
		denial := denialOf(t, err, reason)
		again := challenge.FromProto(reason.RPCCode(), denial.Challenge.Proto())
		if again.Reason != reason || again.Error() != denial.Error() || again.Challenge.Header() != denial.Challenge.Header() {
			t.Errorf("RPC-3: %v became %v: %s", reason, again.Reason, again.Challenge.Header())
		}
		if denial.Remote || !again.Remote {
			t.Errorf("RPC-3: %v: Remote is %t here and %t there", reason, denial.Remote, again.Remote)
		}
	}
}

// TestPrebuilt: forms of a denial are kept for each rule, address and reason, and
// never for what a caller made up (SEED-7).
func TestPrebuilt(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(base, alias)}
	})
	kept := make(map[*[1]byte]bool)
	var mu sync.Mutex
	deny := func(call sent) {
		_, err := authorize(t.Context(), a, call)
		denial := challenge.DenialOf(err)
		named := strings.HasPrefix(call.Procedure, "/"+rpctest.GuardedService+"/") || call.Service == rpctest.GuardedService
		if isPrebuilt(denial) != named {
			t.Errorf("SEED-7: %+v: prebuilt is %t", call, isPrebuilt(denial))
		}
		if isPrebuilt(denial) {
			mu.Lock()
			defer mu.Unlock()
			kept[probe.Of(denial)] = true
		}
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				host := []string{"api.example.com", "alias.example.com", fmt.Sprintf("h%d.example.com", j)}[j%3]
				raw := bearer(fmt.Sprintf("t-unknown%d", j))
				deny(sent{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Kinds[j%4]), Host: host})
				deny(sent{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Kinds[j%4]), Host: host, Authorization: raw})
				deny(sent{Service: rpctest.GuardedService, Path: fmt.Sprintf("/%d", j), Host: host})
				deny(sent{Procedure: fmt.Sprintf("/made.up.v%d.Service%d/Get", i, j), Host: host})
				deny(sent{Procedure: nowhere, Host: host, Authorization: raw})
				deny(sent{Service: fmt.Sprintf("made.up%d", j), Host: host})
			}
		})
	}
	group.Wait()
	if len(kept) != 4 {
		t.Errorf("SEED-7: %d forms are kept for one rule, two names and two reasons, want 4", len(kept))
	}
}

// TestPrebuiltKeepsCauses: denials that share their forms have causes of their
// own.
func TestPrebuiltKeepsCauses(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	cause := func(raw string) string {
		_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: bearer(raw)})
		return denialOf(t, err, challenge.ReasonInvalidToken).Cause.Error()
	}
	unknown, long := cause("t-unknown"), cause(strings.Repeat("x", 1<<20))
	if again := cause("t-unknown"); unknown == long || again != unknown {
		t.Errorf("got the causes %q, %q, %q", unknown, long, again)
	}
	_, err := authorize(t.Context(), a, sent{Procedure: guarded})
	if cause := denialOf(t, err, challenge.ReasonNoCredentials).Cause; cause != nil {
		t.Errorf("got the cause %v", cause)
	}
}

// TestRealm: the realm is the service. A name that the caller made up is not in it
// unless it is well-formed (SEED-2, SEED-7, RPC-5).
func TestRealm(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t)
	for _, tt := range []struct {
		call sent
		want string
	}{
		{sent{Procedure: guarded}, rpctest.GuardedService},
		{sent{Service: rpctest.GuardedService}, rpctest.GuardedService},
		{sent{Procedure: nowhere}, rpctest.NowhereService},
		{sent{Service: rpctest.NowhereService}, rpctest.NowhereService},
		{sent{Procedure: guarded, Service: rpctest.PublicService}, rpctest.GuardedService},
		{sent{}, ""},
		{sent{Procedure: rpctest.GuardedService + "/Unary"}, ""},
		{sent{Procedure: "/a\"b/Get"}, ""},
		{sent{Procedure: "/a\r\nb/Get"}, ""},
		{sent{Service: "a\", error=\"x"}, ""},
		{sent{Service: strings.Repeat("a", 1<<20)}, ""},
		{sent{Procedure: "/" + strings.Repeat("a", 1<<20) + "/Get"}, ""},
	} {
		_, err := authorize(t.Context(), a, tt.call)
		got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge
		if got.Realm != tt.want || got.Scheme != "Bearer" || got.ResourceMetadataURL == "" {
			t.Errorf("RPC-5: %.80q: got %+v, want realm %q", tt.call.Procedure+tt.call.Service, got, tt.want)
		}
		if len(got.Header()) > 1024 {
			t.Errorf("the header has %d bytes", len(got.Header()))
		}
		// Check and Refuse read the name alike.
		if tt.call.Procedure == "" {
			continue
		}
		if got := denialOf(t, a.Check(t.Context(), tt.call.Procedure), challenge.ReasonInternal).Challenge.Realm; got != tt.want {
			t.Errorf("RPC-5: Check(%.80q): got realm %q, want %q", tt.call.Procedure, got, tt.want)
		}
	}
}
