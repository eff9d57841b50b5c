package authserver_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	server := start(t)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"write read write"}, "resource": {resource}}
	inForm := url.Values{"client_id": {"service"}, "client_secret": {"s3cret"}}
	maps.Copy(inForm, form)
	for name, answer := range map[string]tokenAnswer{
		"secret in the header": postToken(t, server, form, "service", "s3cret"),
		"secret in the form":   postToken(t, server, inForm),
	} {
		if answer.status != http.StatusOK || answer.TokenType != "Bearer" || answer.ExpiresIn != 3600 || answer.Scope != "write read" {
			t.Errorf("%s: got %+v", name, answer)
			continue
		}
		if got := answer.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", name, got)
		}
		got := verify(t, server, answer.AccessToken)
		if got.Issuer != server.URL || got.Subject != "service" || got.ClientID != "service" || got.Scope != "write read" ||
			!slices.Equal(got.Audience, []string{resource}) || got.ID == "" || got.Expiry-got.IssuedAt != 3600 {
			t.Errorf("%s: claims are %+v", name, got)
		}
	}
}

func TestClientCredentialsRefused(t *testing.T) {
	t.Parallel()
	server := start(t)
	tests := []struct {
		name      string
		form      url.Values
		id        string
		secret    string
		status    int
		errorCode string
	}{
		{"wrong secret", url.Values{}, "service", "guess", 401, "invalid_client"},
		{"no secret", url.Values{}, "service", "", 401, "invalid_client"},
		{"unknown client", url.Values{}, "unknown", "s3cret", 401, "invalid_client"},
		{"client of another grant", url.Values{}, "app", "", 400, "unauthorized_client"},
		{"unknown scope", url.Values{"scope": {"read admin"}}, "service", "s3cret", 400, "invalid_scope"},
		{"unknown resource", url.Values{"resource": {resource + "/"}}, "service", "s3cret", 400, "invalid_target"},
		{"two resources", url.Values{"resource": {resource, "http://127.0.0.1:9"}}, "service", "s3cret", 400, "invalid_target"},
		{"no resource", url.Values{"resource": {}}, "service", "s3cret", 400, "invalid_target"},
		{"unknown grant", url.Values{"grant_type": {"password"}}, "service", "s3cret", 400, "unsupported_grant_type"},
		{"refresh", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}, "service", "s3cret", 400, "unauthorized_client"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			form := url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}, "resource": {resource}}
			maps.Copy(form, test.form)
			answer := postToken(t, server, form, test.id, test.secret)
			if answer.status != test.status || answer.Error != test.errorCode || answer.AccessToken != "" {
				t.Errorf("got %d %q, want %d %q", answer.status, answer.Error, test.status, test.errorCode)
			}
			if challenge := answer.header.Get("WWW-Authenticate"); (challenge != "") != (answer.status == 401) {
				t.Errorf("a %d with the challenge %q", answer.status, challenge)
			}
		})
	}
}

// A request without a scope is for the default, and the response says which that is
// (RFC 6749 §3.3, §5.1).
func TestDefaultScope(t *testing.T) {
	t.Parallel()
	server := start(t)
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	answers := map[string]tokenAnswer{"client credentials": postToken(t, server, form, "service", "s3cret")}
	form.Set("scope", "")
	answers["client credentials, empty"] = postToken(t, server, form, "service", "s3cret")
	for name, scope := range map[string]string{"code": "", "code, empty": " "} {
		params, status := authorize(t, server, map[string]string{"scope": scope})
		if params.Get("code") == "" {
			t.Fatalf("%s: %d, %q", name, status, params)
		}
		answers[name] = exchange(t, server, params.Get("code"), nil)
	}
	for name, answer := range answers {
		if answer.status != http.StatusOK || answer.Scope != "read write" || verify(t, server, answer.AccessToken).Scope != "read write" {
			t.Errorf("%s: got %+v, want a token for read write", name, answer)
		}
	}
}

func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	server := start(t)
	params, _ := authorize(t, server, map[string]string{"scope": "read write"})
	if params.Get("state") != "st" {
		t.Errorf("state is %q, want st", params.Get("state"))
	}
	answer := exchange(t, server, params.Get("code"), nil)
	if answer.status != http.StatusOK || answer.Scope != "read write" {
		t.Fatalf("got %+v", answer)
	}
	if answer.IDToken != "" || answer.RefreshToken != "" {
		t.Error("the response has more than an access token")
	}
	got := verify(t, server, answer.AccessToken)
	if got.Subject != "ada" || got.ClientID != "app" || got.Scope != "read write" || !slices.Equal(got.Audience, []string{resource}) {
		t.Errorf("claims are %+v", got)
	}
	if again := exchange(t, server, params.Get("code"), nil); again.Error != "invalid_grant" {
		t.Errorf("a code that was used answers %q, want invalid_grant", again.Error)
	}
}

func TestCodeRefused(t *testing.T) {
	t.Parallel()
	server := start(t)
	tests := []struct {
		name      string
		changes   map[string]string
		errorCode string
	}{
		{"no verifier", map[string]string{"code_verifier": ""}, "invalid_request"},
		{"wrong verifier", map[string]string{"code_verifier": verifier + "x"}, "invalid_grant"},
		{"another redirect URI", map[string]string{"redirect_uri": "http://127.0.0.1:1/callback"}, "invalid_grant"},
		{"another resource", map[string]string{"resource": "http://127.0.0.1:9"}, "invalid_target"},
		{"unknown resource", map[string]string{"resource": "https://example.com"}, "invalid_target"},
		{"unknown code", map[string]string{"code": "guess"}, "invalid_grant"},
		{"unknown client", map[string]string{"client_id": "unknown"}, "invalid_client"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			params, _ := authorize(t, server, nil)
			answer := exchange(t, server, params.Get("code"), test.changes)
			if answer.Error != test.errorCode || answer.AccessToken != "" {
				t.Errorf("got %q, want %q", answer.Error, test.errorCode)
			}
		})
	}
	t.Run("resource left out", func(t *testing.T) {
		t.Parallel()
		params, _ := authorize(t, server, nil)
		answer := exchange(t, server, params.Get("code"), map[string]string{"resource": ""})
		if answer.AccessToken == "" {
			t.Errorf("got %q, want a token for the resource that was authorized", answer.Error)
		}
	})
}
