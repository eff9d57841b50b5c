package authtest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

const inactive = `{"active":false}`

// introspect asks the endpoint about a token.
func introspect(t *testing.T, issuer *authtest.Issuer, raw string) string {
	t.Helper()
	status, _, got := post(t, issuer.URL+"/introspect", http.MethodPost, url.Values{"token": {raw}}.Encode(), "free", "secret")
	if status != http.StatusOK {
		t.Fatalf("got %d and %v", status, got)
	}
	document, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// TestIntrospectionLibrary: another library finds the endpoint and asks it about
// tokens of both kinds.
func TestIntrospectionLibrary(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	server, err := rs.NewResourceServerClientCredentials(t.Context(), issuer.URL, robot, password)
	if err != nil {
		t.Fatal(err)
	}
	for _, isOpaque := range []bool{true, false} {
		raw := issuer.Mint(authtest.Token{Opaque: isOpaque, Audience: []string{api}, Scope: "read write", Claims: map[string]any{"acr": "2"}})
		if isJWT := strings.Contains(raw, "."); isJWT == isOpaque || len(raw) < 26 {
			t.Errorf("opaque is %t, got %q", isOpaque, raw)
		}
		got, err := rs.Introspect[*oidc.IntrospectionResponse](t.Context(), server, raw)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Active || got.Subject != "user-1" || got.ClientID != "client-1" || got.Issuer != issuer.URL || got.Claims["acr"] != "2" ||
			!reflect.DeepEqual(got.Audience, oidc.Audience{api}) || !reflect.DeepEqual(got.Scope, oidc.SpaceDelimitedArray{"read", "write"}) {
			t.Errorf("got %+v", got)
		}
	}
	if got := issuer.IntrospectionRequests(); got != 2 {
		t.Errorf("%d introspection requests", got)
	}
}

// TestIntrospection has tokens that are active, and those that are not.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name   string
		token  authtest.Token
		active bool
	}{
		{"R7662-2.2 valid", authtest.Token{}, true},
		{"R7662-2.2 expired", authtest.Token{IssuedAt: past}, false},
		{"R7662-2.2 valid since then", authtest.Token{Claims: map[string]any{"nbf": past.Unix()}}, true},
		{"R7662-2.2 not yet valid", authtest.Token{Claims: map[string]any{"nbf": future.Unix()}}, false},
		{"R7662-2.2 without a time", authtest.Token{IssuedAt: past, Claims: map[string]any{"exp": authtest.Omit}}, true},
		{"R7662-2.2 with a time of another type", authtest.Token{IssuedAt: past, Claims: map[string]any{"exp": "soon"}}, true},
		{"R7662-2.2 forged", authtest.Token{Forged: true}, false},
	} {
		for _, isOpaque := range []bool{true, false} {
			name := tt.name + " JWT"
			if isOpaque {
				name = tt.name + " opaque"
			}
			tt.token.Opaque = isOpaque
			raw := issuer.Mint(tt.token)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := introspect(t, issuer, raw)
				if isActive := strings.Contains(got, `"active":true`) && strings.Contains(got, `"sub":"user-1"`); isActive != tt.active {
					t.Errorf("got %s", got)
				}
				if !tt.active && got != inactive {
					t.Errorf("got %s, want nothing else", got)
				}
				if document := issuer.Introspection(raw); string(document) != got {
					t.Errorf("Introspection is %s, got %s", document, got)
				}
				issuer.Revoke(raw)
				issuer.Revoke(raw)
				if got := introspect(t, issuer, raw); got != inactive {
					t.Errorf("revoked: got %s", got)
				}
			})
		}
	}
}

// TestUnknownTokens: what is no token of the issuer is inactive.
func TestUnknownTokens(t *testing.T) {
	t.Parallel()
	issuer, other := newClientIssuer(t), authtest.NewIssuer(t)
	old := issuer.Mint(authtest.Token{})
	issuer.RotateKeys()
	if got := introspect(t, issuer, old); got == inactive {
		t.Error("a token of an old key is inactive")
	}
	issuer.WithdrawOldKeys()
	for name, raw := range map[string]string{
		"empty":                  "",
		"made up":                "abc",
		"opaque, of another":     other.Mint(authtest.Token{Opaque: true}),
		"of another":             other.Mint(authtest.Token{}),
		"none":                   issuer.Mint(authtest.Token{Algorithm: "none"}),
		"HS256":                  issuer.Mint(authtest.Token{Algorithm: "HS256"}),
		"of a withdrawn key":     old,
		"claims are not JSON":    issuer.Sign(`{"alg":"ES256"}`, "claims"),
		"claims are null":        issuer.Sign(`{"alg":"ES256"}`, "null"),
		"claims are not objects": issuer.Sign(`{"alg":"ES256"}`, "[]"),
	} {
		if got := introspect(t, issuer, raw); got != inactive {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestFixedIntrospection: a test that sets the member active gets the document as
// it wants it.
func TestFixedIntrospection(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	for _, tt := range []struct {
		name   string
		active any
		want   string // of the member
	}{
		{"R7662-2.2 absent", authtest.Omit, ""},
		{"R7662-2.2 a string", "true", `"active":"true"`},
		{"R7662-2.2 true although expired", true, `"active":true`},
		{"R7662-2.2 false with claims", false, `"active":false`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := issuer.Mint(authtest.Token{Opaque: true, Lifetime: -time.Hour, Claims: map[string]any{"active": tt.active}})
			got := introspect(t, issuer, raw)
			if !strings.Contains(got, tt.want) || strings.Contains(got, "active") != (tt.want != "") || !strings.Contains(got, `"exp":`) {
				t.Errorf("got %s", got)
			}
			issuer.Introspection(raw)[0] = 'x' // a copy
			if document := issuer.Introspection(raw); string(document) != got {
				t.Errorf("Introspection is %s", document)
			}
			issuer.Revoke(raw)
			if got := introspect(t, issuer, raw); got != inactive {
				t.Errorf("revoked: got %s", got)
			}
		})
	}
}

// TestIntrospectionRequests has the requests that are refused by RFC 7662 §2.1 and
// §2.3.
func TestIntrospectionRequests(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	for _, tt := range []struct {
		name   string
		method string
		form   string
		basic  []string
		status int
		code   string
	}{
		{"Basic", "POST", "token=x", []string{"free", "secret"}, 200, ""},
		{"form", "POST", "token=x&client_id=free&client_secret=secret", nil, 200, ""},
		{"with a hint", "POST", "token=x&token_type_hint=access_token", []string{"free", "secret"}, 200, ""},
		{"not authenticated", "POST", "token=x", nil, 401, "invalid_client"},
		{"wrong secret", "POST", "token=x", []string{"free", "secre"}, 401, "invalid_client"},
		{"no token", "POST", "token_type_hint=access_token", []string{"free", "secret"}, 400, "invalid_request"},
		{"two tokens", "POST", "token=x&token=y", []string{"free", "secret"}, 400, "invalid_request"},
		{"token in the URL", "GET", "", []string{"free", "secret"}, 405, "invalid_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, header, got := post(t, issuer.URL+"/introspect?token=z", tt.method, tt.form, tt.basic...)
			if code, _ := got["error"].(string); status != tt.status || code != tt.code {
				t.Errorf("got %d and %v", status, got)
			}
			if asks := header.Get("WWW-Authenticate") != ""; asks != (tt.status == http.StatusUnauthorized) {
				t.Errorf("header is %v", header)
			}
		})
	}
}

// TestIntrospectionFails: the introspection endpoint fails as the others do.
func TestIntrospectionFails(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	endpoint := issuer.URL + "/introspect"
	issuer.HandleIntrospection(authtest.Answer(503, "text/plain", "no"))
	if got, err := get(t, endpoint); err != nil || got.status != 503 {
		t.Errorf("got %v and %v", got, err)
	}
	issuer.Down()
	if got, err := get(t, endpoint); err == nil {
		t.Errorf("got %v", got)
	}
	issuer.Up()
	if got, err := get(t, endpoint); err != nil || got.status != 405 {
		t.Errorf("got %v and %v", got, err)
	}
	if got := issuer.IntrospectionRequests(); got != 3 {
		t.Errorf("%d introspection requests", got)
	}
}

// TestHoldIntrospection: a held request is answered with the state of its token at
// the release.
func TestHoldIntrospection(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	raw := issuer.Mint(authtest.Token{Opaque: true})
	arrived, release := issuer.HoldIntrospection()
	answers := make(chan string)
	go func() { answers <- introspect(t, issuer, raw) }()
	<-arrived
	issuer.Revoke(raw)
	release()
	if got := <-answers; got != inactive {
		t.Errorf("got %s", got)
	}
}

// TestHeldIntrospectionEnds: a held POST ends when its client gives up.
func TestHeldIntrospectionEnds(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	arrived, _ := issuer.HoldIntrospection()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer.URL+"/introspect", strings.NewReader("token=x"))
		if err == nil {
			var response *http.Response
			if response, err = http.DefaultClient.Do(r); err == nil {
				response.Body.Close()
			}
		}
		ended <- err
	}()
	<-arrived
	cancel()
	if err := <-ended; err == nil {
		t.Error("got an answer")
	}
	// Close waits for the handler.
	issuer.Close()
}
