package interceptor_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// TestKind: everything that follows from a kind (MCP-2, RPC-2, R6750-3.1.b).
func TestKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind       interceptor.Kind
		name       string
		status     int
		code       uint32 // google.rpc.Code
		challenges bool
		sentence   string
	}{
		{interceptor.KindInternal, "internal", 500, 13, false, "internal error"},
		{interceptor.KindNoCredentials, "no_credentials", 401, 16, true, "an access token is required"},
		{interceptor.KindInvalidRequest, "invalid_request", 400, 3, true, "the credentials are malformed"},
		{interceptor.KindInvalidToken, "invalid_token", 401, 16, true, "the access token is malformed, expired, revoked or not from a trusted issuer"},
		{interceptor.KindInsufficientScope, "insufficient_scope", 403, 7, true, "the access token lacks a scope that this operation needs"},
		{interceptor.KindNotFound, "not_found", 404, 5, false, "no such service or method"},
		{interceptor.KindUnavailable, "unavailable", 503, 14, false, "the access token cannot be verified right now"},
		{interceptor.KindForbiddenOrigin, "forbidden_origin", 403, 7, false, "requests from this origin are not allowed"},
		{interceptor.Kind(8), "internal", 500, 13, false, "internal error"},
		{interceptor.Kind(255), "internal", 500, 13, false, "internal error"},
	} {
		k := tt.kind
		if k.String() != tt.name || k.HTTPStatus() != tt.status || k.RPCCode() != tt.code || k.Challenges() != tt.challenges {
			t.Errorf("%d: got %v, HTTP %d, RPC %d, challenges %t, want %+v", k, k, k.HTTPStatus(), k.RPCCode(), k.Challenges(), tt)
		}
		denial := &interceptor.ChallengeError{Kind: k, Cause: errors.New("secret")}
		if got := denial.Error(); got != tt.sentence {
			t.Errorf("RPC-7: %v: says %q, want %q", k, got, tt.sentence)
		}
		// R9110-11.d: every 401 carries a challenge.
		if k.HTTPStatus() == 401 && !k.Challenges() {
			t.Errorf("R9110-11.d: %v has none", k)
		}
	}
	if zero := new(interceptor.ChallengeError); zero.Kind != interceptor.KindInternal {
		t.Errorf("the zero denial is %v", zero.Kind)
	}
}

// TestKindOnWire: the code decides, and among those with one code the error.
func TestKindOnWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code  uint32
		oauth string
		want  interceptor.Kind
	}{
		{16, "", interceptor.KindNoCredentials},
		{16, "invalid_token", interceptor.KindInvalidToken},
		{16, "insufficient_user_authentication", interceptor.KindInvalidToken},
		{16, "temporarily_unavailable", interceptor.KindInvalidToken},
		{3, "invalid_request", interceptor.KindInvalidRequest},
		{3, "", interceptor.KindInvalidRequest},
		{7, "insufficient_scope", interceptor.KindInsufficientScope},
		{7, "", interceptor.KindInsufficientScope},
		{7, "invalid_token", interceptor.KindInsufficientScope},
		{5, "", interceptor.KindNotFound},
		{14, "temporarily_unavailable", interceptor.KindUnavailable},
		{14, "invalid_token", interceptor.KindUnavailable},
		{13, "server_error", interceptor.KindInternal},
		{0, "", interceptor.KindInternal},
		{2, "", interceptor.KindInternal},
		{1 << 31, "invalid_token", interceptor.KindInternal},
	} {
		denial := interceptor.FromWire(tt.code, &drawbridgev1.Challenge{Scheme: "Bearer", Error: tt.oauth})
		if denial.Kind != tt.want {
			t.Errorf("RPC-2: code %d with %q: got %v, want %v", tt.code, tt.oauth, denial.Kind, tt.want)
		}
		if (denial.RetryAfter > 0) != (tt.want == interceptor.KindUnavailable) {
			t.Errorf("RPC-2: code %d: RetryAfter is %v", tt.code, denial.RetryAfter)
		}
		if denial.Prebuilt() || denial.Unwrap() != nil {
			t.Errorf("code %d: prebuilt %t, cause %v", tt.code, denial.Prebuilt(), denial.Cause)
		}
	}
}

// TestDenialOfKind: a denial that is made here, sent, and read again is of the
// same kind.
func TestDenialOfKind(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	for kind, req := range map[interceptor.Kind]interceptor.Request{
		interceptor.KindNoCredentials:     {Procedure: guarded},
		interceptor.KindInvalidRequest:    {Procedure: guarded, Authorization: []string{"Bearer"}},
		interceptor.KindInvalidToken:      {Procedure: guarded, Authorization: bearer("t-stranger")},
		interceptor.KindInsufficientScope: {Procedure: guarded, Authorization: bearer("t-reader")},
		interceptor.KindNotFound:          {Procedure: nowhere, Authorization: bearer("t-reader")},
	} {
		_, err := a.Authorize(t.Context(), req)
		denial := denialOf(t, err, kind)
		again := interceptor.FromWire(kind.RPCCode(), denial.Challenge.Proto())
		if again.Kind != kind || again.Error() != denial.Error() || again.Challenge.Header() != denial.Challenge.Header() {
			t.Errorf("RPC-3: %v became %v: %s", kind, again.Kind, again.Challenge.Header())
		}
	}
}

// TestChallengeErrorCause: a log finds the cause, and a caller does not read it
// (RPC-7).
func TestChallengeErrorCause(t *testing.T) {
	t.Parallel()
	cause := fmt.Errorf("%w: key 1234 of %s", interceptor.ErrInvalidToken, issuer)
	for kind := range interceptor.KindForbiddenOrigin + 2 {
		denial := &interceptor.ChallengeError{Kind: kind, Cause: cause}
		wrapped := fmt.Errorf("call: %w", denial)
		if !errors.Is(wrapped, interceptor.ErrInvalidToken) || !errors.Is(wrapped, cause) || errors.Is(wrapped, interceptor.ErrUnavailable) {
			t.Errorf("%v: errors.Is does not find the cause", kind)
		}
		var found *interceptor.ChallengeError
		if !errors.As(wrapped, &found) || found != denial {
			t.Errorf("%v: errors.As does not find the denial", kind)
		}
		for _, told := range []string{denial.Error(), wrapped.Error(), denial.Challenge.Header()} {
			if strings.Contains(told, "1234") {
				t.Errorf("RPC-7: %v: the caller is told %q", kind, told)
			}
		}
	}
	if got := (&interceptor.ChallengeError{Challenge: interceptor.Challenge{ErrorDescription: "as told"}}).Error(); got != "as told" {
		t.Errorf("got %q", got)
	}
}

// TestPrebuilt: what callers can make up is never kept (SEED-7).
func TestPrebuilt(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *interceptor.Config) {
		cfg.Resources = []interceptor.Resource{resource(base, "https://alias.example.com")}
	})
	prebuilt := make(map[*interceptor.ChallengeError]bool)
	var mu sync.Mutex
	deny := func(req interceptor.Request) {
		_, err := a.Authorize(t.Context(), req)
		denial := denialOf(t, err, interceptor.KindNoCredentials)
		known := strings.HasPrefix(req.Procedure, "/"+rpctest.GuardedService+"/") || req.Service == rpctest.GuardedService
		if denial.Prebuilt() != known {
			t.Errorf("%+v: prebuilt is %t", req, denial.Prebuilt())
		}
		if denial.Prebuilt() {
			mu.Lock()
			defer mu.Unlock()
			prebuilt[denial] = true
		}
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 100 {
				host := []string{"api.example.com", "alias.example.com", fmt.Sprintf("h%d.example.com", j)}[j%3]
				deny(interceptor.Request{Procedure: rpctest.Procedure(rpctest.GuardedService, rpctest.Kinds[j%4]), Host: host})
				deny(interceptor.Request{Service: rpctest.GuardedService, Path: fmt.Sprintf("/%d", j), Host: host})
				deny(interceptor.Request{Procedure: fmt.Sprintf("/made.up.v%d.Service%d/Get", i, j), Host: host})
				deny(interceptor.Request{Service: fmt.Sprintf("made.up%d", j), Host: host})
			}
		})
	}
	group.Wait()
	if len(prebuilt) != 2 {
		t.Errorf("there are %d prebuilt denials for one rule under two names, want 2", len(prebuilt))
	}
	for denial := range prebuilt {
		copied := *denial
		copied.Challenge.Scopes = []string{"another"}
		if copied.Prebuilt() || !denial.Prebuilt() || interceptor.DenialOf(&copied).Prebuilt() {
			t.Errorf("SEED-7: a copy is prebuilt: %t, the original: %t", copied.Prebuilt(), denial.Prebuilt())
		}
	}
	if new(interceptor.ChallengeError).Prebuilt() {
		t.Error("SEED-7: the zero denial is prebuilt")
	}
	for _, values := range [][]string{{"Bearer"}, bearer("t-stranger"), bearer("t-reader")} {
		_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: values})
		var denial *interceptor.ChallengeError
		if errors.As(err, &denial) && denial.Prebuilt() {
			t.Errorf("%q: prebuilt", values)
		}
	}
}

// TestRealm: the realm is the service, and what a caller made up is not in it
// unless it is well-formed (SEED-2, SEED-7, RPC-5).
func TestRealm(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, nil)
	for _, tt := range []struct {
		req  interceptor.Request
		want string
	}{
		{interceptor.Request{Procedure: guarded}, rpctest.GuardedService},
		{interceptor.Request{Service: rpctest.GuardedService}, rpctest.GuardedService},
		{interceptor.Request{Procedure: nowhere}, rpctest.NowhereService},
		{interceptor.Request{Service: rpctest.NowhereService}, rpctest.NowhereService},
		{interceptor.Request{Procedure: guarded, Service: rpctest.PublicService}, rpctest.GuardedService},
		{interceptor.Request{}, ""},
		{interceptor.Request{Procedure: rpctest.GuardedService + "/Unary"}, ""},
		{interceptor.Request{Procedure: "/a\"b/Get"}, ""},
		{interceptor.Request{Procedure: "/a\r\nb/Get"}, ""},
		{interceptor.Request{Service: "a\", error=\"x"}, ""},
		{interceptor.Request{Service: strings.Repeat("a", 1<<20)}, ""},
		{interceptor.Request{Procedure: "/" + strings.Repeat("a", 1<<20) + "/Get"}, ""},
	} {
		_, err := a.Authorize(t.Context(), tt.req)
		challenge := denialOf(t, err, interceptor.KindNoCredentials).Challenge
		if challenge.Realm != tt.want || challenge.Scheme != "Bearer" || challenge.ResourceMetadata == "" {
			t.Errorf("RPC-5: %.80q: got %+v, want realm %q", tt.req.Procedure+tt.req.Service, challenge, tt.want)
		}
		if len(challenge.Header()) > 1024 {
			t.Errorf("the header has %d bytes", len(challenge.Header()))
		}
	}
}

// TestDenialOf: an adapter always has a reason, and in doubt it is ours (RPC-7).
func TestDenialOf(t *testing.T) {
	t.Parallel()
	denial := &interceptor.ChallengeError{Kind: interceptor.KindNotFound}
	if got := interceptor.DenialOf(fmt.Errorf("call: %w", denial)); got != denial {
		t.Errorf("got %+v", got)
	}
	secret := errors.New("secret")
	for _, err := range []error{secret, nil} {
		got := interceptor.DenialOf(err)
		if got.Kind != interceptor.KindInternal || got.Error() != "internal error" || !errors.Is(got.Cause, err) || got.Prebuilt() {
			t.Errorf("RPC-7: %v: got %+v", err, got)
		}
	}
}
