package challenge_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// at returns the denial of a reason as an Authorizer completes it.
func at(reason challenge.Reason, scopes ...string) *challenge.DenialError {
	denial := challenge.NewDenial(reason, nil)
	denial.Challenge.Realm, denial.Challenge.ResourceMetadataURL, denial.Challenge.Scopes = "a.v1.A", base+wellKnown, scopes
	return denial
}

// TestResponse: status, challenge and body of each reason, byte for byte.
func TestResponse(t *testing.T) {
	t.Parallel()
	const (
		prefix = `Bearer realm="a.v1.A", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`
		body   = `{"error":%q,"error_description":%q,"server":"a.v1.A"}`
	)
	wrongAudience := at(challenge.ReasonInvalidToken)
	wrongAudience.Challenge.ErrorDescription = challenge.WrongAudience
	ambiguous := at(challenge.ReasonInvalidRequest)
	ambiguous.Challenge.ErrorDescription = challenge.AmbiguousPath
	stepUp := at(challenge.ReasonInsufficientAuthentication)
	stepUp.Challenge.ACRValues, stepUp.Challenge.MaxAge = []string{"urn:gold"}, seconds(60)
	stepUpScoped := at(challenge.ReasonInsufficientAuthentication, "a", "b")
	stepUpScoped.Challenge.ACRValues = []string{"urn:gold", "urn:silver"}
	stepUpNow := at(challenge.ReasonInsufficientAuthentication)
	stepUpNow.Challenge.MaxAge = seconds(0)
	dpop := at(challenge.ReasonInvalidToken)
	dpop.Challenge.Scheme, dpop.Challenge.Algs, dpop.Challenge.Error = challenge.DPoP, []string{"ES256"}, "use_dpop_nonce"
	for _, tt := range []struct {
		name      string
		denial    *challenge.DenialError
		status    int
		challenge string
		body      string
	}{
		{"SEED-2 SEED-9 R6750-3.1.a no credentials", at(challenge.ReasonNoCredentials), 401, prefix, `{}`},
		{"SEED-2 MCP-4 no credentials, scopes", at(challenge.ReasonNoCredentials, "a", "b"), 401, prefix + `, scope="a b"`, `{}`},
		{
			"SEED-3 SEED-9 an invalid token", at(challenge.ReasonInvalidToken), 401,
			prefix + `, error="invalid_token", error_description="` + saysInvalidToken + `"`, fmt.Sprintf(body, "invalid_token", saysInvalidToken),
		},
		{
			"SEED-3 R8707-2 another audience", wrongAudience, 401,
			prefix + `, error="invalid_token", error_description="` + saysAudience + `"`, fmt.Sprintf(body, "invalid_token", saysAudience),
		},
		{
			"SEED-4 SEED-9 R6750-3.1.b MCP-4 insufficient scope", at(challenge.ReasonInsufficientScope, "a", "b"), 403,
			prefix + `, scope="a b", error="insufficient_scope", error_description="` + saysScope + `"`, fmt.Sprintf(body, "insufficient_scope", saysScope),
		},
		{
			"R6750-3.1.b SEED-9 an invalid request", at(challenge.ReasonInvalidRequest), 400,
			prefix + `, error="invalid_request", error_description="` + saysInvalidRequest + `"`, fmt.Sprintf(body, "invalid_request", saysInvalidRequest),
		},
		{
			"an ambiguous path", ambiguous, 400,
			prefix + `, error="invalid_request", error_description="` + challenge.AmbiguousPath + `"`, fmt.Sprintf(body, "invalid_request", challenge.AmbiguousPath),
		},
		{
			"R9470-3 insufficient authentication", stepUp, 401,
			prefix + `, error="insufficient_user_authentication", error_description="` + saysAuthentication + `", acr_values="urn:gold", max_age="60"`,
			`{"error":"insufficient_user_authentication","error_description":"` + saysAuthentication + `","server":"a.v1.A","acr_values":"urn:gold","max_age":60}`,
		},
		{
			"R9470-3 insufficient authentication and scopes", stepUpScoped, 401,
			prefix + `, scope="a b", error="insufficient_user_authentication", error_description="` + saysAuthentication + `", acr_values="urn:gold urn:silver"`,
			`{"error":"insufficient_user_authentication","error_description":"` + saysAuthentication + `","server":"a.v1.A","acr_values":"urn:gold urn:silver"}`,
		},
		{
			"R9470-3 a new authentication", stepUpNow, 401,
			prefix + `, error="insufficient_user_authentication", error_description="` + saysAuthentication + `", max_age="0"`,
			`{"error":"insufficient_user_authentication","error_description":"` + saysAuthentication + `","server":"a.v1.A","max_age":0}`,
		},
		{
			"R9449-7.1 DPoP", dpop, 401,
			`DPoP` + prefix[len("Bearer"):] + `, error="use_dpop_nonce", error_description="` + saysInvalidToken + `", algs="ES256"`,
			fmt.Sprintf(body, "use_dpop_nonce", saysInvalidToken),
		},
		{
			"R9470-3 insufficient authentication by its error", &challenge.DenialError{Reason: challenge.ReasonInvalidToken, Challenge: challenge.Challenge{Realm: "a.v1.A", Error: "insufficient_user_authentication"}}, 401,
			`Bearer realm="a.v1.A", error="insufficient_user_authentication"`, fmt.Sprintf(body, "insufficient_user_authentication", saysAuthentication),
		},
		{
			"R9449-9 an error that no reason has", &challenge.DenialError{Reason: challenge.ReasonInvalidToken, Challenge: challenge.Challenge{Realm: "a.v1.A", Error: "use_dpop_nonce"}}, 401,
			`Bearer realm="a.v1.A", error="use_dpop_nonce"`, fmt.Sprintf(body, "use_dpop_nonce", "the DPoP proof needs the nonce of the DPoP-Nonce field"),
		},
		{"RPC-6 not found", at(challenge.ReasonNotFound), 404, "", fmt.Sprintf(body, "not_found", "no such service or method")},
		{"RPC-2 unavailable", at(challenge.ReasonUnavailable), 503, "", fmt.Sprintf(body, "temporarily_unavailable", saysUnavailable)},
		{"RPC-7 internal", at(challenge.ReasonInternal), 500, "", fmt.Sprintf(body, "server_error", "internal error")},
		{"RPC-7 the zero denial", new(challenge.DenialError), 500, "", `{"error":"internal","error_description":"internal error"}`},
		{"forbidden", at(challenge.ReasonForbidden), 403, "", fmt.Sprintf(body, "forbidden", "the caller is not allowed to do this")},
		{"MCP-8 a forbidden origin", at(challenge.ReasonForbiddenOrigin), 403, "", fmt.Sprintf(body, "forbidden_origin", "requests from this origin are not allowed")},
		{"R9110-11.d R6750-3.a an empty challenge", &challenge.DenialError{Reason: challenge.ReasonNoCredentials}, 401, `Bearer realm="rpc"`, `{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := http.Header{
				"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(tt.body))}, "Cache-Control": {"no-store"},
			}
			if tt.challenge != "" {
				want["Www-Authenticate"] = []string{tt.challenge}
			}
			if tt.denial.Reason == challenge.ReasonUnavailable {
				want["Retry-After"] = []string{"5"}
			}
			for name, denial := range map[string]*challenge.DenialError{"built": tt.denial, "kept": tt.denial.Prebuilt()} {
				got := denial.Response()
				if got.Status() != tt.status || got.Body() != tt.body || !reflect.DeepEqual(got.Header(), want) {
					t.Errorf("%s: got %d %v\n%s\nwant %d %v\n%s", name, got.Status(), got.Header(), got.Body(), tt.status, want, tt.body)
				}
			}
		})
	}
}

// TestPoisonedResponse: whatever a challenge holds, the response is one
// well-formed field, and its body is JSON (R6750-3.c, R9110-11.c).
func TestPoisonedResponse(t *testing.T) {
	t.Parallel()
	const poison = "x\", evil=\"1\r\nX-Evil: 1\\\u00e9\xff"
	response := (&challenge.DenialError{Reason: challenge.ReasonInvalidToken, Challenge: challenge.Challenge{
		Realm: poison, ResourceMetadataURL: poison, Scopes: []string{poison, "good"}, Error: poison, ErrorDescription: poison,
		ACRValues: []string{poison, "gold"}, Algs: []string{poison},
	}}).Response()
	const want = `Bearer realm="x\", evil=\"1  X-Evil: 1\\??", resource_metadata="x\", evil=\"1  X-Evil: 1\\??", ` +
		`scope="good", error="x', evil='1  X-Evil: 1???", error_description="x', evil='1  X-Evil: 1???", acr_values="gold"`
	if got := response.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != want {
		t.Errorf("R6750-3.c: got  %q\nwant %q", got, want)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(response.Body()), &body); err != nil || len(body) != 4 || body["acr_values"] != "gold" {
		t.Errorf("the body is %s: %v", response.Body(), err)
	}
}

// TestRetryAfter: whole seconds, rounded up (RPC-2).
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{
		0: "", -time.Second: "", math.MinInt64: "", 1: "1", time.Second: "1", time.Second + 1: "2", 1500 * time.Millisecond: "2",
		2 * time.Second: "2", time.Hour: "3600", math.MaxInt64: "9223372037",
	} {
		got := (&challenge.DenialError{Reason: challenge.ReasonUnavailable, RetryAfter: after}).Response().Header().Get("Retry-After")
		if got != want {
			t.Errorf("RPC-2: %v: got %q, want %q", after, got, want)
		}
	}
}

// TestResponseOfCopy: a changed copy of a prebuilt denial gets a response of its
// own, and the original keeps its response.
func TestResponseOfCopy(t *testing.T) {
	t.Parallel()
	original := at(challenge.ReasonNoCredentials).Prebuilt()
	kept := original.Response()
	if original.Response() != kept {
		t.Fatal("the response is not kept")
	}
	changed := *original
	changed.Challenge.Realm, changed.Challenge.ResourceMetadataURL = "b.v1.B", ""
	if got, want := changed.Response().Header().Get("WWW-Authenticate"), `Bearer realm="b.v1.B"`; got != want {
		t.Errorf("SEED-7: got %q, want %q", got, want)
	}
	if original.Response() != kept || original.WithCause(http.ErrAbortHandler).Response() != kept {
		t.Error("the original has another response")
	}
}

// TestWrite: the response replaces header fields of its own and no others.
func TestWrite(t *testing.T) {
	t.Parallel()
	response := at(challenge.ReasonNoCredentials).Response()
	w := httptest.NewRecorder()
	w.Header().Set("WWW-Authenticate", "Negotiate")
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("X-Kept", "kept")
	response.Write(w)
	got := w.Result()
	want := response.Header()
	want.Set("X-Kept", "kept")
	if got.StatusCode != http.StatusUnauthorized || !reflect.DeepEqual(got.Header, want) || w.Body.String() != "{}" {
		t.Errorf("got %d %v %q, want %v", got.StatusCode, got.Header, w.Body, want)
	}
}

// poison changes everything that a handler of a response can reach.
func poison(header http.Header) {
	for _, values := range header {
		for i := range values[:cap(values)] {
			values[:cap(values)][i] = "evil"
		}
	}
	header.Set("X-Evil", "1")
}

// TestOwnValues: a middleware that edits the header of a response in place changes
// that response alone, and not the next one of the same denial.
func TestOwnValues(t *testing.T) {
	t.Parallel()
	denial := at(challenge.ReasonInsufficientScope, "a").Prebuilt()
	want, body := denial.Response().Header(), denial.Response().Body()
	fields := make(http.Header)
	denial.SetHeader(fields)
	for range 2 {
		first, own := httptest.NewRecorder(), make(http.Header)
		denial.Response().Write(first)
		denial.SetHeader(own)
		if !reflect.DeepEqual(first.Result().Header, want) || first.Body.String() != body || !reflect.DeepEqual(own, fields) {
			t.Errorf("got %v %q, %v, want %v %q, %v", first.Result().Header, first.Body, own, want, body, fields)
		}
		header := denial.Response().Header()
		poison(first.Header())
		poison(own)
		poison(header)
		clear(first.Body.Bytes())
	}
}

// TestSetHeader: the fields that state a denial in every protocol (RPC-2,
// R9110-11.d).
func TestSetHeader(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		denial := at(reason)
		got, want := http.Header{"X-Kept": {"kept"}}, http.Header{"X-Kept": {"kept"}}
		if reason.Challenges() {
			want.Set("WWW-Authenticate", denial.Challenge.Header())
		}
		if reason == challenge.ReasonUnavailable {
			want.Set("Retry-After", "5")
		}
		if denial.SetHeader(got); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %v, want %v", reason, got, want)
		}
	}
}

// TestWriteAllocations: writing a kept response allocates once: the values of its
// header.
func TestWriteAllocations(t *testing.T) {
	denial := at(challenge.ReasonInsufficientScope, "a").Prebuilt()
	w := &reusedWriter{header: make(http.Header)}
	for name, run := range map[string]func(){
		"Write": func() { denial.Response().Write(w) }, "SetHeader": func() { denial.SetHeader(w.header) },
	} {
		if got := testing.AllocsPerRun(100, run); got != 1 {
			t.Errorf("%s: got %v allocations, want 1", name, got)
		}
	}
}

// reusedWriter is a response writer that allocates nothing, and takes strings as
// those of net/http do.
type reusedWriter struct{ header http.Header }

func (w *reusedWriter) Header() http.Header                  { return w.header }
func (w *reusedWriter) WriteHeader(int)                      {}
func (w *reusedWriter) Write(data []byte) (int, error)       { return len(data), nil }
func (w *reusedWriter) WriteString(data string) (int, error) { return len(data), nil }
