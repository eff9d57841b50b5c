package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A guard is an Authorizer with one resource that has two services, each of which needs a
// scope.
type guard struct{ authorizer *drawbridge.Authorizer }

func newGuard(t *testing.T, v token.Verifier, issuer string) guard {
	t.Helper()
	authorizer, err := drawbridge.New(drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: api, AuthorizationServers: []string{issuer}}},
		Policy: policy.Policy{Services: map[string]policy.Service{
			"inventory": {Rule: policy.Rule{Scopes: []string{"inventory:read"}}, NoDescriptor: true},
			"orders":    {Rule: policy.Rule{Scopes: []string{"orders:write"}}, NoDescriptor: true},
		}},
		Verifier: v,
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return guard{authorizer}
}

// decide returns the denial of a request with a token, or nil.
func (g guard) decide(t *testing.T, raw string) *challenge.DenialError {
	t.Helper()
	return g.decideFor(t, raw, "inventory")
}

func (g guard) decideFor(t *testing.T, raw, service string) *challenge.DenialError {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, api+"/", http.NoBody)
	request.Header["Authorization"] = []string{"Bearer " + raw}
	described := drawbridge.HTTPRequest(request)
	described.Service = service
	_, err := g.authorizer.Authorize(t.Context(), described)
	denial, ok := errors.AsType[*challenge.DenialError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	return denial
}

// answerOf returns everything that a caller reads, over HTTP and over gRPC.
func answerOf(denial *challenge.DenialError) string {
	response := denial.Response()
	return fmt.Sprintf("%d\n%v\n%s\n%v\n%v", response.Status(), response.Header(), response.Body(), denial.Challenge.Proto(), denial.RetryAfter)
}

// A classOnly is a verifier that reads no token.
type classOnly struct{ err error }

func (c classOnly) VerifyToken(context.Context, string, *token.Resource) (*token.Info, error) {
	return nil, c.err
}
