package authserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	server := start(t)
	register := func(body string) (int, map[string]any) {
		t.Helper()
		resp, err := server.Client().Post(server.URL+"/register", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, answer
	}

	status, answer := register(`{"client_name":"probe","redirect_uris":["http://localhost:1/oauth/callback"],"token_endpoint_auth_method":"client_secret_post"}`)
	if status != http.StatusCreated || answer["token_endpoint_auth_method"] != "none" || answer["client_name"] != "probe" {
		t.Fatalf("got %d %v", status, answer)
	}
	id, _ := answer["client_id"].(string)
	params, status := authorize(t, server, map[string]string{"client_id": id, "redirect_uri": "http://localhost:2/oauth/callback"})
	if params.Get("code") == "" {
		t.Errorf("the registered client got no code (%d, %q)", status, params.Get("error"))
	}

	for _, body := range []string{
		`{}`,
		`{"redirect_uris":["https://example.com/callback"]}`,
		`{"redirect_uris":["http://localhost/callback#fragment"]}`,
		`{"redirect_uris":["custom:/callback"]}`,
		`{"redirect_uris":["http://localhost/ok","://"]}`,
	} {
		if status, answer := register(body); status != http.StatusBadRequest || answer["error"] != "invalid_redirect_uri" {
			t.Errorf("%s: got %d %v, want invalid_redirect_uri", body, status, answer)
		}
	}
	if status, answer := register(`[`); status != http.StatusBadRequest || answer["error"] != "invalid_client_metadata" {
		t.Errorf("not JSON: got %d %v, want invalid_client_metadata", status, answer)
	}
}
