package drawbridge_test

import (
	"context"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestCredential: how the Authorization field is read, and what reaches the
// verifier.
func TestCredential(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", token.MaxLength)
	for _, tt := range []struct {
		name   string
		values []string
		query  bool
		want   challenge.Reason
		asked  int64 // calls of the verifier
	}{
		{"R6750-3.1.a nothing", nil, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a an empty field", []string{""}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a Basic", []string{"Basic dDp3"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a DPoP", []string{"DPoP t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a a scheme as long as Bearer", []string{"Digest t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a a token without a scheme", []string{"t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a a scheme that begins with Bearer", []string{"BearerX t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a Bearer and a tab", []string{"Bearer\tt-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a Bearer and a comma", []string{"Bearer,t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a the Kelvin sign does not fold", []string{"Bea\u212aer t-writer"}, false, challenge.ReasonNoCredentials, 0},
		{"R6750-3.1.a a token in the query alone is not read", nil, true, challenge.ReasonNoCredentials, 0},
		{"R6750-2.a Bearer", bearer("t-writer"), false, letIn, 1},
		{"R6750-2.a in lower case", []string{"bearer t-writer"}, false, letIn, 1},
		{"R6750-2.a in capitals", []string{"BEARER t-writer"}, false, letIn, 1},
		{"R6750-2.a several spaces (RFC 9110 §11.4)", []string{"Bearer   t-writer "}, false, letIn, 1},
		{"R6750-3.1.b a scheme without a token", []string{"Bearer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-3.1.b a scheme and a space", []string{"Bearer "}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-3.1.b two tokens", []string{"Bearer t-writer t-reader"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-3.1.b a list", []string{"Bearer t-writer, Bearer t-writer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b two fields that a proxy merged", []string{"Bearer t-writer,Bearer t-writer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-3.1.b a comma is part of the token, which is unknown", []string{"Bearer t-writer,t-writer"}, false, challenge.ReasonInvalidToken, 1},
		{"R6750-2.b two fields", []string{"Bearer t-writer", "Bearer t-writer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b CVE-2026-26308 the second is good", []string{"Basic dDp3", "Bearer t-writer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b R9449-7.2 two schemes", []string{"Bearer t-writer", "DPoP t-writer"}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b two empty fields", []string{"", ""}, false, challenge.ReasonInvalidRequest, 0},
		{"R6750-2.b one in the query as well", bearer("t-writer"), true, challenge.ReasonInvalidRequest, 0},
		{"R6750-3.1.b unknown", bearer("t-unknown"), false, challenge.ReasonInvalidToken, 1},
		{"R6750-3.1.b in another case", bearer("T-WRITER"), false, challenge.ReasonInvalidToken, 1},
		{"R6750-3.1.b too little", bearer("t-reader"), false, challenge.ReasonInsufficientScope, 1},
		{"MCP-5 more than enough", bearer("t-admin"), false, letIn, 1},
		{"CVE-2025-27144 the longest token", bearer(long), false, challenge.ReasonInvalidToken, 1},
		{"CVE-2025-27144 one byte more", bearer(long + "x"), false, challenge.ReasonInvalidToken, 0},
		{"CVE-2025-30204 a mebibyte of dots", bearer(strings.Repeat(".", 1<<20)), false, challenge.ReasonInvalidToken, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) { cfg.Verifier = verifier })
			ctx, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: tt.values, QueryToken: tt.query})
			wantOutcome(t, err, tt.want)
			if (ctx != nil) != (tt.want == letIn) {
				t.Errorf("got %v", ctx)
			}
			if got := verifier.asked.Load(); got != tt.asked {
				t.Errorf("the verifier was called %d times, want %d", got, tt.asked)
			}
		})
	}
}

// TestPublic: a credential that is sent nevertheless is ignored, and neither Host
// nor path matters.
func TestPublic(t *testing.T) {
	t.Parallel()
	verifier := people()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Verifier, cfg.Resources = verifier, []drawbridge.Resource{serving(resource(base+"/mcp"), rpctest.GuardedService), resource("https://other.example.com/x")}
	})
	for _, values := range [][]string{nil, bearer("t-writer"), bearer("t-unknown"), {"Bearer"}, {"Bearer a", "Bearer b"}} {
		for _, s := range []sent{
			{Procedure: public},
			{Procedure: public, Host: "10.0.0.7:8080"},
			{Procedure: public, QueryToken: true},
			{Service: rpctest.PublicService, Path: "/mcp/../x"},
			{Service: rpctest.PublicService, Path: "/mcp/x", RawPath: "/mcp%2Fx", Host: "other.example.com"},
			{Service: rpctest.PublicService, Path: "*"},
		} {
			s.Authorization = values
			if got := subject(enter(t.Context(), t, a, s)); got != anonymous {
				t.Errorf("%+v: got %s", s, got)
			}
		}
	}
	if _, err := a.Authorize(t.Context(), drawbridge.Request{Procedure: public}); err != nil {
		t.Errorf("without a transport: %v", err)
	}
	if got := verifier.asked.Load(); got != 0 {
		t.Errorf("the verifier was called %d times", got)
	}
}

// FuzzAuthorization: only the known token is let in, and a verifier sees only what
// its interface promises.
func FuzzAuthorization(f *testing.F) {
	const writer = "t-writer"
	tokens := people().tokens
	a := newAuthorizer(f, func(cfg *drawbridge.Config) {
		cfg.Verifier = verify(func(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
			if raw == "" || len(raw) > token.MaxLength || strings.Contains(raw, " ") {
				panic("not as promised: " + raw)
			}
			if raw == writer {
				return tokens[raw], nil
			}
			return nil, errUnknown
		})
	})
	for _, value := range []string{"", "Bearer", "Bearer ", "Bearer t-writer", "bearer  t-writer ", "Bearer t-writer,x", "Bearer t-writer x", "BearerX t-writer", "Basic t-writer", "Bearer\tt-writer", "DPoP t-writer"} {
		f.Add(value, "", 1, false)
		f.Add(value, value, 2, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, count int, query bool) {
		values := []string{first, second}[:uint(count)%3]
		_, err := authorize(t.Context(), a, sent{Procedure: guarded, Authorization: values, QueryToken: query})
		if isTheToken(values, writer) && !query {
			wantOutcome(t, err, letIn)
			return
		}
		denial, ok := err.(*challenge.DenialError) //nolint:errorlint // The documented type.
		if !ok {
			t.Fatalf("%q: got %v", values, err)
		}
		switch denial.Reason {
		case challenge.ReasonNoCredentials, challenge.ReasonInvalidRequest, challenge.ReasonInvalidToken:
		default:
			t.Errorf("%q: got %v: %v", values, denial.Reason, denial.Cause)
		}
		wantSendable(t, denial.Challenge.Header())
	})
}

// isTheToken reads an Authorization field in another way than the library does:
// the scheme, spaces, the token, spaces.
func isTheToken(values []string, raw string) bool {
	if len(values) != 1 {
		return false
	}
	scheme, rest, found := strings.Cut(values[0], " ")
	return found && strings.EqualFold(scheme, "Bearer") && strings.Trim(rest, " ") == raw
}
