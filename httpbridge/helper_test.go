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

	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

const (
	resource    = "https://api.example.com"
	mcpResource = resource + "/mcp"
	wellKnown   = "/.well-known/oauth-protected-resource"
	login       = "https://login.example.com"

	// secret is in every error of the verifier and of backends: it must not
	// leave the process (RPC-7).
	secret = "kid-4711"
)

// The tokens that the verifier knows.
const (
	tokenGood  = "good"  // grants all that is asked for
	tokenRead  = "read"  // grants less
	tokenRoot  = "root"  // is for the root alone
	tokenMCP   = "mcp"   // is for the MCP endpoint alone
	tokenBad   = "bad"   // is the caller's fault
	tokenDown  = "down"  // cannot be judged
	tokenPanic = "panic" // makes the verifier panic
)

// fakeVerifier judges tokens by their name.
type fakeVerifier struct{ asked atomic.Int64 }

func (v *fakeVerifier) VerifyToken(_ context.Context, token string) (*interceptor.TokenInfo, error) {
	v.asked.Add(1)
	info := &interceptor.TokenInfo{Subject: "ada", Audience: []string{resource, mcpResource}, Scopes: []string{rpctest.ScopeWrite}}
	switch token {
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
		return nil, fmt.Errorf("%w: %s", interceptor.ErrUnavailable, secret)
	case tokenPanic:
		panic(secret)
	default:
		return nil, fmt.Errorf("%w: %s", interceptor.ErrInvalidToken, secret)
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
	said := record.Level.String()
	record.Attrs(func(a slog.Attr) bool {
		said += " " + a.String()
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, said)
	return nil
}

func (r *records) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept
}

// world is a bridge and all that it uses.
type world struct {
	*httpbridge.Bridge

	verifier fakeVerifier
	log      records
}

// newWorld has two resources, that of every RPC and that of the MCP endpoint.
func newWorld(tb testing.TB, options httpbridge.Options, change ...func(*interceptor.Config)) *world {
	tb.Helper()
	w := new(world)
	cfg := interceptor.Config{
		Resources: []interceptor.Resource{
			{Identifier: resource, AuthorizationServers: []string{login}},
			{Identifier: mcpResource, AuthorizationServers: []string{login}, Name: "Inventory", Documentation: "https://docs.example.com"},
		},
		Policy:   rpctest.Policy(),
		Verifier: &w.verifier,
		Logger:   slog.New(&w.log),
	}
	for _, f := range change {
		f(&cfg)
	}
	authorizer, err := interceptor.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if w.Bridge, err = httpbridge.New(authorizer, options); err != nil {
		tb.Fatal(err)
	}
	return w
}

// withService adds a service that has no descriptor, whatever its name.
func withService(name string, rule policy.Rule) func(*interceptor.Config) {
	return func(cfg *interceptor.Config) {
		cfg.Policy.Services[name] = policy.Service{Rule: rule, Undescribed: true}
	}
}

// guarded is the answer of a handler that a caller is let in to.
var guarded = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, rpctest.Greeting(r.Context(), "hello"))
})

// answer is an HTTP answer.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request to a server. Fields with the name Host become that of the
// request.
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

func bearer(token string) http.Header {
	if token == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + token}}
}

// challenge is the WWW-Authenticate field that a resource answers with.
func challenge(metadataURL, service, oauthError, description string) string {
	said := fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", service, metadataURL)
	if service == rpctest.GuardedService {
		said += fmt.Sprintf(", scope=%q", rpctest.ScopeWrite)
	}
	if oauthError != "" {
		said += fmt.Sprintf(", error=%q, error_description=%q", oauthError, description)
	}
	return said
}

// checkAnswer compares an answer with a denial, field by field.
func checkAnswer(t *testing.T, got answer, status int, challenge, body string) {
	t.Helper()
	if got.status != status || got.body != body {
		t.Errorf("got %d %s\nwant %d %s", got.status, got.body, status, body)
	}
	if header := strings.Join(got.header.Values("Www-Authenticate"), " | "); header != challenge {
		t.Errorf("R9110-11.d: WWW-Authenticate\n got %s\nwant %s", header, challenge)
	}
	if contentType := got.header.Get("Content-Type"); contentType != "application/json" {
		t.Errorf("SEED-9: Content-Type is %q", contentType)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("may be cached: %v", got.header)
	}
	if (got.header.Get("Retry-After") != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("RPC-2: Retry-After is %q", got.header.Get("Retry-After"))
	}
	if said := fmt.Sprint(got); strings.Contains(said, secret) {
		t.Errorf("RPC-7: the cause was sent: %s", said)
	}
}

// The sentences of the denials, which clients may depend on.
const (
	saysInvalidRequest = "the credentials are malformed"
	saysInvalidToken   = "the access token is malformed, expired, revoked or not from a trusted issuer"
	saysAudience       = "the access token was issued for another resource"
	saysScope          = "the access token lacks a scope that this operation needs"
	saysUnavailable    = "the access token cannot be verified right now"
)

func body(oauthError, description, service string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q,"server":%q}`, oauthError, description, service)
}

var errBackend = errors.New("dial tcp 10.0.0.7: " + secret)

// denied is a denial, and what is told of it at the MCP endpoint.
var (
	denied          = &interceptor.ChallengeError{Kind: interceptor.KindInsufficientScope, Challenge: interceptor.Challenge{Realm: rpctest.GuardedService, Error: "insufficient_scope"}}
	deniedChallenge = `Bearer realm="` + rpctest.GuardedService + `", resource_metadata="` + mcpMetadata + `", error="insufficient_scope"`
	deniedBody      = scopeBody
)
