package interceptor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// letIn is not a reason for a denial.
const letIn = challenge.Reason(255)

// toyHTTP returns a call as a client sends it. The values are those of the
// Authorization field.
func toyHTTP(procedure string, values ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, rpctest.Resource+procedure, strings.NewReader(`"hello"`))
	r.Header.Set("Content-Type", "application/json")
	for _, value := range values {
		r.Header.Add("Authorization", value)
	}
	return r
}

// toyRequest is the Request of a call with a token.
func toyRequest(procedure, raw string) drawbridge.Request {
	req := drawbridge.HTTPRequest(toyHTTP(procedure, "Bearer "+raw))
	req.Procedure = procedure
	return req
}

// toyServices serves the services of rpctest, with handlers that count.
func toyServices(w *rpctest.World, ran *int) *toyServer {
	greet := func(ctx context.Context, in json.RawMessage, send func(any) error) error {
		*ran++
		var message string
		if err := json.Unmarshal(in, &message); err != nil {
			return err
		}
		return send(rpctest.Greeting(ctx, message))
	}
	return &toyServer{adapter: w.Adapter(), methods: map[string]toyMethod{
		guarded: greet,
		rpctest.Procedure(rpctest.PublicService, rpctest.Unary): greet,
		rpctest.Procedure(rpctest.GuardedService, rpctest.Server): func(ctx context.Context, _ json.RawMessage, send func(any) error) error {
			*ran++
			err := send("first")
			time.Sleep(time.Until(w.Adapter().Caller(ctx).Expiry()))
			return errors.Join(err, send("second"))
		},
		// RPC-10: a handler returns what Check returned.
		rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi): func(ctx context.Context, _ json.RawMessage, _ func(any) error) error {
			*ran++
			return fmt.Errorf("nested: %w", w.Check(ctx, "/a.v1.A/Get"))
		},
	}}
}

// TestThirdAdapter: an adapter of about sixty lines refuses and lets in like the
// others: the same reasons, codes, details, challenges and log records (RPC-1,
// RPC-2, RPC-3, RPC-6).
func TestThirdAdapter(t *testing.T) {
	t.Parallel()
	public, nowhere := rpctest.Procedure(rpctest.PublicService, rpctest.Unary), rpctest.Procedure(rpctest.NowhereService, rpctest.Unary)
	for _, tt := range []struct {
		name      string
		procedure string
		values    []string
		want      challenge.Reason
		said      string // of a call that was let in
	}{
		{"SEED-2 no token", guarded, nil, challenge.ReasonNoCredentials, ""},
		{"R6750-3.1.a another scheme", guarded, []string{"Basic YTpi"}, challenge.ReasonNoCredentials, ""},
		{"R6750-2.b two fields", guarded, []string{"Bearer good", "Bearer good"}, challenge.ReasonInvalidRequest, ""},
		{"SEED-3 an invalid token", guarded, []string{"Bearer bad"}, challenge.ReasonInvalidToken, ""},
		{"SEED-4 too little", guarded, []string{"Bearer read"}, challenge.ReasonInsufficientScope, ""},
		{"RPC-2 an outage", guarded, []string{"Bearer down"}, challenge.ReasonUnavailable, ""},
		{"RPC-2 an unclassified failure", guarded, []string{"Bearer odd"}, challenge.ReasonUnavailable, ""},
		{"RPC-6 a verifier that panics", guarded, []string{"Bearer panic"}, challenge.ReasonInternal, ""},
		{"R6750-2.a enough", guarded, []string{"Bearer good"}, letIn, "hello from ada"},
		{"public", public, nil, letIn, "hello from " + unnamed},
		{"public, an invalid token", public, []string{"Bearer bad"}, letIn, "hello from " + unnamed},
		{"SEED-7 an unknown service without a token", nowhere, nil, challenge.ReasonNoCredentials, ""},
		{"SEED-7 RPC-6 an unknown service with a token", nowhere, []string{"Bearer good"}, challenge.ReasonNotFound, ""},
		{"RPC-5 a path that is not a procedure", "/x" + guarded, []string{"Bearer good"}, challenge.ReasonNotFound, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, ran := rpctest.NewWorld(t), 0
			response := httptest.NewRecorder()
			toyServices(w, &ran).ServeHTTP(response, toyHTTP(tt.procedure, tt.values...))
			if tt.want == letIn {
				if got := strings.TrimSpace(response.Body.String()); got != fmt.Sprintf("%q", tt.said) || response.Code != http.StatusOK || ran != 1 {
					t.Errorf("got %d %s", response.Code, got)
				}
				return
			}
			if ran != 0 {
				t.Error("RPC-1: the handler ran")
			}
			got := wantToyDenial(t, response, tt.want)
			if got := w.Log.Logged.Load(); got != 1 {
				t.Errorf("SEED-1: logged %d times", got)
			}
			// The decision is that of every other adapter.
			req := drawbridge.HTTPRequest(toyHTTP(tt.procedure, tt.values...))
			req.Procedure = tt.procedure
			_, want := w.Adapter().Authorize(t.Context(), &req)
			if want.Reason != got.Reason || want.Challenge.Header() != got.Challenge.Header() {
				t.Errorf("RPC-3: got %v %s, want %v %s", got.Reason, got.Challenge.Header(), want.Reason, want.Challenge.Header())
			}
			if over, ok := connectauth.FromError(connectauth.NewError(want)); !ok || over.Reason != got.Reason {
				t.Errorf("RPC-2: connectauth carries %v", over)
			}
			wantOnce(t, response.Body.String())
		})
	}
}

// unnamed is the name by which handlers greet a caller without a token.
var unnamed = strings.TrimPrefix(rpctest.Greeting(context.Background(), ""), " from ")

// wantToyDenial returns the denial in a response, as a client reads it.
func wantToyDenial(t *testing.T, response *httptest.ResponseRecorder, want challenge.Reason) *challenge.DenialError {
	t.Helper()
	received := new(toyError)
	if err := json.Unmarshal(lastLine(response.Body.String()), received); err != nil {
		t.Fatal(err)
	}
	denial, ok := toyFromError(received)
	if !ok || denial.Reason != want || !denial.Remote || received.Code != want.RPCCode() || received.Message != denial.Error() {
		t.Fatalf("RPC-2: got %+v of %+v", denial, received)
	}
	if strings.Contains(response.Body.String(), rpctest.Secret) {
		t.Errorf("RPC-7: the response is %s", response.Body)
	}
	header := ""
	if want.Challenges() {
		header = denial.Challenge.Header()
	}
	if got := response.Header().Get("WWW-Authenticate"); got != header {
		t.Errorf("RPC-3: the header is %q, the detail %q", got, header)
	}
	return denial
}

func lastLine(body string) []byte {
	lines := strings.Split(strings.TrimSpace(body), "\n")
	return []byte(lines[len(lines)-1])
}

// wantOnce wants one Challenge in the body of a denial.
func wantOnce(t *testing.T, body string) {
	t.Helper()
	if got := strings.Count(body, "drawbridge.v1.Challenge"); got != 1 {
		t.Errorf("RPC-3: %d challenges in %s", got, body)
	}
}

// TestThirdAdapterStream: a stream ends with its token, after the messages before
// (R9068-4.b).
func TestThirdAdapterStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ran := rpctest.NewWorld(t), 0
		w.Verifier.Lifetime = time.Minute
		response := httptest.NewRecorder()
		toyServices(w, &ran).ServeHTTP(response, toyHTTP(rpctest.Procedure(rpctest.GuardedService, rpctest.Server), "Bearer good"))
		if got := response.Body.String(); !strings.HasPrefix(got, "\"first\"\n{") || strings.Contains(got, "second") || ran != 1 {
			t.Errorf("R9068-4.b: got %s", got)
		}
		received := new(toyError)
		if err := json.Unmarshal(lastLine(response.Body.String()), received); err != nil {
			t.Fatal(err)
		}
		if denial, ok := toyFromError(received); !ok || denial.Reason != challenge.ReasonInvalidToken {
			t.Errorf("R9068-4.b: got %+v", received)
		}
	})
}

// TestThirdAdapterCheck: a denial of Check that a handler returns arrives as that
// denial, and asks for the scopes of both procedures (RPC-10, MCP-4).
func TestThirdAdapterCheck(t *testing.T) {
	t.Parallel()
	w, ran := rpctest.NewWorld(t, func(cfg *drawbridge.Config) {
		cfg.Policy.Services["a.v1.A"] = policy.Service{Rule: policy.Rule{Scopes: []string{"a"}}, NoDescriptor: true}
	}), 0
	response := httptest.NewRecorder()
	toyServices(w, &ran).ServeHTTP(response, toyHTTP(rpctest.Procedure(rpctest.GuardedService, rpctest.Bidi), "Bearer good"))
	denial := wantToyDenial(t, response, challenge.ReasonInsufficientScope)
	if want := []string{"a", rpctest.ScopeWrite}; !reflect.DeepEqual(denial.Challenge.Scopes, want) || response.Code != http.StatusForbidden {
		t.Errorf("RPC-10: got %d %q, want %q", response.Code, denial.Challenge.Scopes, want)
	}
}

// TestThirdAdapterBelowBridge: the bridge leaves a response of the toy protocol as
// it is.
func TestThirdAdapterBelowBridge(t *testing.T) {
	t.Parallel()
	w, ran := rpctest.NewWorld(t), 0
	bridge, err := httpbridge.New(httpbridge.Config{Authorizer: w.Authorizer})
	if err != nil {
		t.Fatal(err)
	}
	server := toyServices(w, &ran)
	for _, values := range [][]string{nil, {"Bearer bad"}, {"Bearer read"}, {"Bearer good"}} {
		direct, bridged := httptest.NewRecorder(), httptest.NewRecorder()
		server.ServeHTTP(direct, toyHTTP(guarded, values...))
		bridge.Handler(server).ServeHTTP(bridged, toyHTTP(guarded, values...))
		if bridged.Code != direct.Code || bridged.Body.String() != direct.Body.String() || bridged.Header().Get("WWW-Authenticate") != direct.Header().Get("WWW-Authenticate") {
			t.Errorf("%q: got %d %v %s, want %d %s", values, bridged.Code, bridged.Header(), bridged.Body, direct.Code, direct.Body)
		}
	}
}

// TestThirdAdapterFromError: an error without a denial is not one.
func TestThirdAdapterFromError(t *testing.T) {
	t.Parallel()
	for _, e := range []*toyError{
		{Code: 16, Message: "x"},
		{Code: 16, Message: "x", cause: io.EOF},
		{Code: 16, Message: "x", Details: []json.RawMessage{[]byte("x"), []byte(`{"@type":"type.googleapis.com/no.such.Type"}`)}},
	} {
		if denial, ok := toyFromError(e); ok || denial != nil {
			t.Errorf("%+v: got %+v", e, denial)
		}
	}
	local := challenge.NewDenial(challenge.ReasonForbidden, nil)
	if denial, ok := toyFromError(newToyError(local)); !ok || denial != local {
		t.Errorf("got %+v", denial)
	}
}
