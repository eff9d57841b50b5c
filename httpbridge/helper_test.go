package httpbridge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	resource    = "https://api.example.com"
	mcpResource = resource + "/mcp"
	wellKnown   = "/.well-known/oauth-protected-resource"
	login       = "https://login.example.com"

	// secret is in every error of the verifier and of backends. It must not leave
	// the process (RPC-7).
	secret = "kid-4711"
)

// The tokens that the verifier knows.
const (
	tokenGood  = "good"  // grants all that is asked for
	tokenRead  = "read"  // grants less
	tokenRoot  = "root"  // is for the root resource alone
	tokenMCP   = "mcp"   // is for the MCP endpoint alone
	tokenBad   = "bad"   // is invalid
	tokenDown  = "down"  // cannot be verified right now
	tokenPanic = "panic" // makes the verifier panic
)

// fakeVerifier verifies tokens by their name.
type fakeVerifier struct{ asked atomic.Int64 }

func (v *fakeVerifier) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	v.asked.Add(1)
	info := &token.Info{Issuer: login, Subject: "ada", Audience: []string{resource, mcpResource}, Scopes: []string{rpctest.ScopeWrite}}
	switch raw {
	case tokenGood:
		return info, nil
	case tokenRead:
		info.Scopes = []string{rpctest.ScopeRead}
		return info, nil
	case tokenRoot:
		info.Audience = []string{resource}
		return info, nil
	case tokenMCP:
		info.Audience = []string{mcpResource}
		return info, nil
	case tokenDown:
		return nil, fmt.Errorf("%w: %s", token.ErrUnavailable, secret)
	case tokenPanic:
		panic(secret)
	default:
		return nil, fmt.Errorf("%w: %s", token.ErrInvalid, secret)
	}
}

// records keeps what is logged.
type records struct {
	mu   sync.Mutex
	kept []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

func (r *records) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String()
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, line)
	return nil
}

func (r *records) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept
}

// world is a bridge with everything that it uses.
type world struct {
	*httpbridge.Bridge

	verifier fakeVerifier
	log      records
}

// newWorld returns a world with two resources: that of every RPC and that of the
// MCP endpoint.
func newWorld(tb testing.TB, bridge httpbridge.Config, change ...func(*drawbridge.Config)) *world {
	tb.Helper()
	w := new(world)
	cfg := drawbridge.Config{
		Resources: []drawbridge.Resource{
			{Identifier: resource, AuthorizationServers: []string{login}},
			{Identifier: mcpResource, AuthorizationServers: []string{login}, Name: "Inventory", DocumentationURL: "https://docs.example.com"},
		},
		Policy:   rpctest.Policy(),
		Verifier: &w.verifier,
		Logger:   slog.New(&w.log),
	}
	for _, f := range change {
		f(&cfg)
	}
	authorizer, err := drawbridge.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	bridge.Authorizer = authorizer
	if w.Bridge, err = httpbridge.New(bridge); err != nil {
		tb.Fatal(err)
	}
	return w
}

// withService adds a rule for a service without a descriptor.
func withService(name string, rule policy.Rule) func(*drawbridge.Config) {
	return func(cfg *drawbridge.Config) {
		cfg.Policy.Services[name] = policy.Service{Rule: rule, NoDescriptor: true}
	}
}

// guarded is a handler that greets its caller.
var guarded = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, rpctest.Greeting(r.Context(), "hello"))
})

// answer is an HTTP response.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request to a server. A Host field becomes the host of the request.
func send(t *testing.T, method, url string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	req.Host = req.Header.Get("Host")
	return do(t, req)
}

func do(t *testing.T, req *http.Request) answer {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func bearer(raw string) http.Header {
	if raw == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + raw}}
}

// challengeFor returns the WWW-Authenticate field of a denial.
func challengeFor(metadataURL, service, oauthError, description string) string {
	value := fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", service, metadataURL)
	if service == rpctest.GuardedService {
		value += fmt.Sprintf(", scope=%q", rpctest.ScopeWrite)
	}
	if oauthError != "" {
		value += fmt.Sprintf(", error=%q, error_description=%q", oauthError, description)
	}
	return value
}

// checkAnswer compares a response with a denial, field by field.
func checkAnswer(t *testing.T, got answer, status int, wantChallenge, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("got %d %s\nwant %d %s", got.status, got.body, status, body)
	}
	if header := strings.Join(got.header.Values("Www-Authenticate"), " | "); header != wantChallenge {
		t.Errorf("R9110-11.d: WWW-Authenticate\n got %s\nwant %s", header, wantChallenge)
	}
	if contentType := got.header.Get("Content-Type"); contentType != "application/json" {
		t.Errorf("SEED-9: Content-Type is %q", contentType)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control is %q", got.header.Get("Cache-Control"))
	}
	if (got.header.Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("RPC-2: Retry-After is %q", got.header.Get("Retry-After"))
	}
	if text := fmt.Sprint(got); strings.Contains(text, secret) {
		t.Errorf("RPC-7: the cause was sent: %s", text)
	}
}

// The sentences of the denials, on which clients may depend.
const (
	saysInvalidRequest = "the credentials are malformed"
	saysInvalidToken   = "the access token is malformed, expired, revoked or not from a trusted issuer"
	saysAudience       = "the access token was issued for another resource"
	saysScope          = "the access token lacks a scope that this operation needs"
	saysAuthentication = "a different authentication level is required"
	saysUnavailable    = "the access token cannot be verified right now"
)

func body(oauthError, description, service string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q,"server":%q}`, oauthError, description, service)
}

var errBackend = errors.New("dial tcp 10.0.0.7: " + secret)

// denied is a denial, with its challenge and body at the MCP endpoint.
var (
	denied          = &challenge.DenialError{Reason: challenge.ReasonInsufficientScope, Challenge: challenge.Challenge{Realm: rpctest.GuardedService, Error: "insufficient_scope"}}
	deniedChallenge = `Bearer realm="` + rpctest.GuardedService + `", resource_metadata="` + mcpMetadata + `", error="insufficient_scope"`
	deniedBody      = scopeBody
)
