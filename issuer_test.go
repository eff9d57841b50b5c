package drawbridge_test

import (
	"errors"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestIssuer: a token opens a resource only if its issuer is one of that resource's
// (R9728-2.e).
func TestIssuer(t *testing.T) {
	t.Parallel()
	const second, third = "https://second.example.com", "https://third.example.com"
	all := []drawbridge.Resource{
		{Identifier: base, AuthorizationServers: []string{issuer, second}},
		{Identifier: base + "/mcp", AuthorizationServers: []string{issuer}, Issuers: []string{third, "urn:iss"}},
	}
	for _, tt := range []struct {
		name, path, iss string
		want            challenge.Reason
	}{
		{"R9728-2.e the first server", "/x", issuer, letIn},
		{"R9728-2.e the second server", "/x", second, letIn},
		{"R9728-2.e an issuer of another resource", "/x", third, challenge.ReasonInvalidToken},
		{"R9728-2.e an unknown issuer", "/x", "https://evil.example", challenge.ReasonInvalidToken},
		{"R9728-2.e no issuer", "/x", "", challenge.ReasonInvalidToken},
		{"R9728-2.e a slash more", "/x", issuer + "/", challenge.ReasonInvalidToken},
		{"R9728-2.e in capitals", "/x", "https://LOGIN.example.com", challenge.ReasonInvalidToken},
		{"R9728-2.e an issuer that was configured", "/mcp", third, letIn},
		{"R9728-2.e an issuer that is not a URL", "/mcp", "urn:iss", letIn},
		{"R9728-2.e a server that is only advertised", "/mcp", issuer, challenge.ReasonInvalidToken},
		{"R9728-2.e a server of another resource", "/mcp", second, challenge.ReasonInvalidToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			info := verifier.tokens["t-writer"]
			info.Issuer, info.Audience = tt.iss, []string{base, base + "/mcp"}
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources, cfg.Verifier = all, verifier })
			call := sent{Procedure: guarded, Path: tt.path, Authorization: bearer("t-writer")}
			_, err := authorize(t.Context(), a, call)
			wantOutcome(t, err, tt.want)
			if err == nil {
				return
			}
			denial := challenge.DenialOf(err)
			if !errors.Is(err, token.ErrInvalid) || denial.Error() != challenge.ReasonInvalidToken.Message() || denial.Challenge.ResourceMetadataURL != metadataURL(t.Context(), a, call) {
				t.Errorf("got %+v, %v", denial.Challenge, denial.Cause)
			}
		})
	}
	// The document advertises the servers, not the values of iss.
	a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Resources = all })
	document, _ := a.Metadata(t.Context(), sent{Path: wellKnown + "/mcp"}.Request())
	if len(document.AuthorizationServers) != 1 || document.AuthorizationServers[0] != issuer {
		t.Errorf("MCP-1: got %q", document.AuthorizationServers)
	}
}
