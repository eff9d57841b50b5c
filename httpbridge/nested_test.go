package httpbridge_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestBridgeHidesNoCaller: a bridge that lets no caller in by itself leaves the one
// that stands further out.
func TestBridgeHidesNoCaller(t *testing.T) {
	t.Parallel()
	first, second := newWorld(t, httpbridge.Config{}), newWorld(t, httpbridge.Config{})
	procedure := rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	subject, checked := "", error(nil)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		info, _ := token.FromContext(r.Context())
		subject = ""
		if info != nil {
			subject = info.Subject
		}
		checked = first.Authorizer().Check(r.Context(), procedure)
	})
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, resource+"/page", http.NoBody)
	inTest := request.WithContext(token.NewContext(request.Context(), &token.Info{Subject: "grace"}))
	called := httptest.NewRequestWithContext(t.Context(), http.MethodPost, resource+procedure, http.NoBody)
	called.Header.Set("Authorization", "Bearer "+tokenGood)
	for _, tt := range []struct {
		name    string
		handler http.Handler
		request *http.Request
		subject string
		checks  bool
	}{
		{"facts of a test", first.Handler(handler), inTest, "grace", false},
		{"facts of a test, past a guard", first.Handler(connectauth.Guard(first.Authorizer(), handler)), inTest, "grace", false},
		{"a caller of another Authorizer", connectauth.Guard(first.Authorizer(), second.Handler(handler)), called, "ada", true},
		{"two guards", connectauth.Guard(first.Authorizer(), connectauth.Guard(second.Authorizer(), handler)), called, "ada", true},
		{"none", first.Handler(handler), request, "", false},
	} {
		tt.handler.ServeHTTP(httptest.NewRecorder(), tt.request)
		if subject != tt.subject || (checked == nil) != tt.checks {
			t.Errorf("%s: got %q, Check: %v", tt.name, subject, checked)
		}
	}
}
