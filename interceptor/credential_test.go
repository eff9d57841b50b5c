package interceptor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
)

// TestCredential: who is asked, and what for, before a verifier sees anything.
func TestCredential(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", interceptor.MaxTokenLength)
	for _, tt := range []struct {
		name   string
		values []string
		query  bool
		want   interceptor.Kind
		asked  int64 // how often the verifier is
	}{
		{"R6750-3.1.a nothing", nil, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a an empty field", []string{""}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a Basic", []string{"Basic dDp3"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a DPoP", []string{"DPoP t-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a a token without a scheme", []string{"t-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a a scheme that begins like ours", []string{"BearerX t-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a our scheme and a tab", []string{"Bearer\tt-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a our scheme and a comma", []string{"Bearer,t-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a the Kelvin sign does not fold", []string{"Bea\u212aer t-writer"}, false, interceptor.KindNoCredentials, 0},
		{"R6750-3.1.a a token in the query alone is not read", nil, true, interceptor.KindNoCredentials, 0},
		{"R6750-2.a Bearer", bearer("t-writer"), false, letIn, 1},
		{"R6750-2.a in lower case", []string{"bearer t-writer"}, false, letIn, 1},
		{"R6750-2.a in capitals", []string{"BEARER t-writer"}, false, letIn, 1},
		{"R6750-2.a several spaces (RFC 9110 §11.4)", []string{"Bearer   t-writer "}, false, letIn, 1},
		{"R6750-3.1.b a scheme without a token", []string{"Bearer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-3.1.b a scheme and a space", []string{"Bearer "}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-3.1.b two tokens", []string{"Bearer t-writer t-reader"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-3.1.b a list", []string{"Bearer t-writer, Bearer t-writer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-2.b two fields that a proxy merged", []string{"Bearer t-writer,Bearer t-writer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-3.1.b a comma is part of a token, and that one is unknown", []string{"Bearer t-writer,t-writer"}, false, interceptor.KindInvalidToken, 1},
		{"R6750-2.b two fields", []string{"Bearer t-writer", "Bearer t-writer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-2.b CVE-2026-26308 the second is good", []string{"Basic dDp3", "Bearer t-writer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-2.b R9449-7.2 two schemes", []string{"Bearer t-writer", "DPoP t-writer"}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-2.b two empty fields", []string{"", ""}, false, interceptor.KindInvalidRequest, 0},
		{"R6750-2.b one in the query as well", bearer("t-writer"), true, interceptor.KindInvalidRequest, 0},
		{"R6750-3.1.b unknown", bearer("t-stranger"), false, interceptor.KindInvalidToken, 1},
		{"R6750-3.1.b in another case", bearer("T-WRITER"), false, interceptor.KindInvalidToken, 1},
		{"R6750-3.1.b too little", bearer("t-reader"), false, interceptor.KindInsufficientScope, 1},
		{"MCP-5 more than enough", bearer("t-admin"), false, letIn, 1},
		{"CVE-2025-27144 the longest token", bearer(long), false, interceptor.KindInvalidToken, 1},
		{"CVE-2025-27144 one byte more", bearer(long + "x"), false, interceptor.KindInvalidToken, 0},
		{"CVE-2025-30204 a mebibyte of dots", bearer(strings.Repeat(".", 1<<20)), false, interceptor.KindInvalidToken, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			verifier := people()
			a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier = verifier })
			info, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: tt.values, QueryToken: tt.query})
			wantOutcome(t, err, tt.want)
			if (info != nil) != (tt.want == letIn) {
				t.Errorf("got %+v", info)
			}
			if got := verifier.asked.Load(); got != tt.asked {
				t.Errorf("the verifier was asked %d times, want %d", got, tt.asked)
			}
		})
	}
}

// TestPublic: a credential that is sent all the same is not looked at.
func TestPublic(t *testing.T) {
	t.Parallel()
	verifier := people()
	a := newAuthorizer(t, func(cfg *interceptor.Config) { cfg.Verifier = verifier })
	for _, values := range [][]string{nil, bearer("t-writer"), bearer("t-stranger"), {"Bearer"}, {"Bearer a", "Bearer b"}} {
		info, err := a.Authorize(t.Context(), interceptor.Request{Procedure: public, Authorization: values})
		if info != nil || err != nil {
			t.Errorf("%q: got %+v, %v", values, info, err)
		}
	}
	if got := verifier.asked.Load(); got != 0 {
		t.Errorf("the verifier was asked %d times", got)
	}
}

// FuzzAuthorization: nobody is let in but with exactly the token that is known,
// and a verifier sees nothing that it was not promised to see.
func FuzzAuthorization(f *testing.F) {
	const token = "t-writer"
	tokens := people().tokens
	a := newAuthorizer(f, func(cfg *interceptor.Config) {
		cfg.Verifier = verify(func(_ context.Context, sent string) (*interceptor.TokenInfo, error) {
			if sent == "" || len(sent) > interceptor.MaxTokenLength || strings.Contains(sent, " ") {
				panic("not what was promised: " + sent)
			}
			if sent == token {
				return tokens[token], nil
			}
			return nil, errStranger
		})
	})
	for _, value := range []string{"", "Bearer", "Bearer ", "Bearer t-writer", "bearer  t-writer ", "Bearer t-writer,x", "Bearer t-writer x", "BearerX t-writer", "Basic t-writer", "Bearer\tt-writer", "DPoP t-writer"} {
		f.Add(value, "", 1, false)
		f.Add(value, value, 2, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, count int, query bool) {
		values := []string{first, second}[:uint(count)%3]
		_, err := a.Authorize(t.Context(), interceptor.Request{Procedure: guarded, Authorization: values, QueryToken: query})
		if isTheToken(values, token) && !query {
			wantOutcome(t, err, letIn)
			return
		}
		denial, ok := err.(*interceptor.ChallengeError) //nolint:errorlint // That is the type that is promised.
		if !ok {
			t.Fatalf("%q: got %v", values, err)
		}
		switch denial.Kind {
		case interceptor.KindNoCredentials, interceptor.KindInvalidRequest, interceptor.KindInvalidToken:
		default:
			t.Errorf("%q: got %v: %v", values, denial.Kind, denial.Cause)
		}
		wantSendable(t, denial.Challenge.Header())
	})
}

// isTheToken reads an Authorization field in another way than the library does:
// the scheme, spaces, the token, spaces.
func isTheToken(values []string, token string) bool {
	if len(values) != 1 {
		return false
	}
	scheme, rest, found := strings.Cut(values[0], " ")
	return found && strings.EqualFold(scheme, "Bearer") && strings.Trim(rest, " ") == token
}
