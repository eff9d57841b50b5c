package drawbridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// noVerifier is never called.
type noVerifier struct{}

func (noVerifier) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	panic("called")
}

// TestShortfall: the denial for each reason of a policy.ShortfallError. It looks
// inside because no policy has the later reasons yet.
func TestShortfall(t *testing.T) {
	t.Parallel()
	a, err := New(Config{
		Resources: []Resource{{Identifier: "https://api.example.com", AuthorizationServers: []string{"https://login.example.com"}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			"a.v1.A": {Rule: policy.Rule{Scopes: []string{"a", "b"}}, NoDescriptor: true},
		}},
		Verifier: noVerifier{},
	})
	if err != nil {
		t.Fatal(err)
	}
	req := &Request{Procedure: "/a.v1.A/Get"}
	c := a.state.Load().ruleFor(req.Procedure, "").at(nil)
	own, gold, age := []string{"a", "b"}, []string{"urn:gold"}, new(time.Minute)
	for _, tt := range []struct {
		name      string
		err       error
		reason    challenge.Reason
		oauth     string
		scopes    []string
		acrValues []string
		maxAge    *time.Duration
		cause     error
	}{
		{"R6750-3.1.a no token", &policy.ShortfallError{Reason: challenge.ReasonNoCredentials}, challenge.ReasonNoCredentials, "", own, nil, nil, nil},
		{"MCP-4 scopes", &policy.ShortfallError{Reason: challenge.ReasonInsufficientScope, Scopes: own}, challenge.ReasonInsufficientScope, "insufficient_scope", own, nil, nil, nil},
		{"MCP-4 scopes of a condition", &policy.ShortfallError{Reason: challenge.ReasonInsufficientScope, Scopes: []string{"c"}, Cause: io.EOF}, challenge.ReasonInsufficientScope, "insufficient_scope", []string{"c"}, nil, nil, io.EOF},
		{"R9470-3 authentication", &policy.ShortfallError{Reason: challenge.ReasonInsufficientAuthentication, ACRValues: gold, MaxAge: age}, challenge.ReasonInsufficientAuthentication, "insufficient_user_authentication", own, gold, age, nil},
		{"R9470-3 authentication and scopes", &policy.ShortfallError{Reason: challenge.ReasonInsufficientAuthentication, Scopes: []string{"c"}, MaxAge: age}, challenge.ReasonInsufficientAuthentication, "insufficient_user_authentication", []string{"c"}, nil, age, nil},
		{"forbidden", &policy.ShortfallError{Reason: challenge.ReasonForbidden, Cause: io.EOF}, challenge.ReasonForbidden, "", nil, nil, nil, io.EOF},
		{"RPC-2 cannot be decided", &policy.ShortfallError{Reason: challenge.ReasonUnavailable, Cause: io.EOF}, challenge.ReasonUnavailable, "temporarily_unavailable", own, nil, nil, io.EOF},
		{"internal", &policy.ShortfallError{Cause: io.EOF}, challenge.ReasonInternal, "server_error", own, nil, nil, io.EOF},
		{"wrapped", fmt.Errorf("check: %w", &policy.ShortfallError{Reason: challenge.ReasonForbidden}), challenge.ReasonForbidden, "", nil, nil, nil, nil},
		{"RPC-6 another error", io.EOF, challenge.ReasonInternal, "server_error", own, nil, nil, io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			denial := c.shortfall(req, tt.err)
			want := challenge.Challenge{
				Scheme: challenge.Bearer, Realm: "a.v1.A",
				ResourceMetadataURL: "https://api.example.com/.well-known/oauth-protected-resource",
				Scopes:              tt.scopes, Error: tt.oauth, ACRValues: tt.acrValues, MaxAge: tt.maxAge,
			}
			if tt.oauth != "" {
				want.ErrorDescription = tt.reason.Message()
			}
			if denial.Reason != tt.reason || !reflect.DeepEqual(denial.Challenge, want) {
				t.Errorf("got %v %+v\nwant %v %+v", denial.Reason, denial.Challenge, tt.reason, want)
			}
			if !errors.Is(denial.Cause, tt.cause) {
				t.Errorf("got the cause %v, want %v", denial.Cause, tt.cause)
			}
			if (denial.RetryAfter > 0) != (tt.reason == challenge.ReasonUnavailable) {
				t.Errorf("RPC-2: RetryAfter is %v", denial.RetryAfter)
			}
		})
	}
}
