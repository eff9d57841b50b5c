package authserver_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

const (
	resource = "http://127.0.0.1:9/mcp"
	redirect = "http://127.0.0.1:4321/callback"
	verifier = "a-code-verifier-that-is-long-enough-for-rfc-7636"
)

// start runs an authorization server with one client of each kind.
func start(t *testing.T) *httptest.Server {
	t.Helper()
	listener := httptest.NewUnstartedServer(nil)
	server, err := authserver.New(authserver.Config{
		Issuer:    "http://" + listener.Listener.Addr().String(),
		Resources: []string{resource, "http://127.0.0.1:9"},
		Scopes:    []string{"read", "write"},
		Subject:   "ada",
		Clients: []authserver.Client{
			{ID: "service", Secret: "s3cret", GrantTypes: []string{"client_credentials"}},
			{ID: "app", GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{"http://127.0.0.1/callback"}},
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listener.Config.Handler = server
	listener.Start()
	t.Cleanup(listener.Close)
	return listener
}

// tokenAnswer is a response of the token endpoint, with or without a token.
type tokenAnswer struct {
	status int
	header http.Header

	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
}

func postToken(t *testing.T, server *httptest.Server, form url.Values, basic ...string) tokenAnswer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if len(basic) == 2 {
		req.SetBasicAuth(basic[0], basic[1])
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := tokenAnswer{status: resp.StatusCode, header: resp.Header}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// authorize follows the redirects from the authorization endpoint to the redirect
// URI and returns its parameters. If the server does not redirect there, it returns
// nil and the status.
func authorize(t *testing.T, server *httptest.Server, changes map[string]string) (url.Values, int) {
	t.Helper()
	hash := sha256.Sum256([]byte(verifier))
	params := url.Values{
		"response_type":         {"code"},
		"client_id":             {"app"},
		"redirect_uri":          {redirect},
		"scope":                 {"read"},
		"state":                 {"st"},
		"resource":              {resource},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(hash[:])},
		"code_challenge_method": {"S256"},
	}
	for name, value := range changes {
		if params.Set(name, value); value == "" {
			params.Del(name)
		}
	}
	client := *server.Client()
	client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.String(), server.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := client.Get(server.URL + "/authorize?" + params.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		return nil, resp.StatusCode
	}
	location, err := resp.Location()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := location.Scheme+"://"+location.Host+location.Path, params.Get("redirect_uri"); got != want {
		t.Fatalf("redirected to %q, want %q", got, want)
	}
	return location.Query(), resp.StatusCode
}

func exchange(t *testing.T, server *httptest.Server, code string, changes map[string]string) tokenAnswer {
	t.Helper()
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {"app"},
		"code":          {code},
		"redirect_uri":  {redirect},
		"code_verifier": {verifier},
		"resource":      {resource},
	}
	for name, value := range changes {
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
	}
	return postToken(t, server, form)
}

type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	ID       string   `json:"jti"`
	Expiry   int64    `json:"exp"`
	IssuedAt int64    `json:"iat"`
}

// verify checks a token with the key that the server publishes.
func verify(t *testing.T, server *httptest.Server, token string) claims {
	t.Helper()
	var keys jose.JSONWebKeySet
	getJSON(t, server, "/keys", &keys)
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	if got := header.ExtraHeaders[jose.HeaderType]; got != "JWT" {
		t.Errorf("typ is %v, want JWT, which is all that op can do", got)
	}
	matching := keys.Key(header.KeyID)
	if len(matching) != 1 {
		t.Fatalf("%d keys with the kid of the token, want 1", len(matching))
	}
	if !matching[0].IsPublic() {
		t.Fatal("the published key is not public")
	}
	payload, err := jws.Verify(matching[0])
	if err != nil {
		t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func getJSON(t *testing.T, server *httptest.Server, path string, into any) {
	t.Helper()
	resp, err := server.Client().Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", path, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
