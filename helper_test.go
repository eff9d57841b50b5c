package drawbridge_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	base      = rpctest.Resource
	alias     = "https://alias.example.com"
	issuer    = rpctest.Issuer
	wellKnown = "/.well-known/oauth-protected-resource"
)

// The procedures of rpctest.Policy.
var (
	guarded = rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	public  = rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	nowhere = rpctest.Procedure(rpctest.NowhereService, rpctest.Unary)
)

// sent is a request as a client sends it.
type sent struct {
	Procedure, Service, Path, RawPath, Method string
	QueryToken                                bool
	Authorization                             []string
	Host, RemoteAddr                          string
	TLS                                       *tls.ConnectionState
	Forwarded, ForwardedHost, ForwardedProto  []string
	Header                                    http.Header // further fields
}

func (s sent) Request() drawbridge.Request {
	return drawbridge.Request{
		Procedure: s.Procedure, Service: s.Service, Path: s.Path, RawPath: s.RawPath, Method: s.Method,
		QueryToken: s.QueryToken, Transport: &wire{s},
	}
}

// wire is the Transport of what was sent.
type wire struct{ sent sent }

func (w *wire) Values(_ context.Context, name string) []string {
	switch name {
	case "Authorization":
		return w.sent.Authorization
	case "Forwarded":
		return w.sent.Forwarded
	case "X-Forwarded-Host":
		return w.sent.ForwardedHost
	case "X-Forwarded-Proto":
		return w.sent.ForwardedProto
	default:
		return w.sent.Header[name]
	}
}

func (w *wire) Host(context.Context) string { return w.sent.Host }

func (w *wire) Connection(context.Context) (string, *tls.ConnectionState) {
	return w.sent.RemoteAddr, w.sent.TLS
}

// at returns the plain HTTP request for a path as a client writes it.
func at(tb testing.TB, path string) sent {
	tb.Helper()
	if path == "" {
		return sent{}
	}
	u, err := url.ParseRequestURI(path)
	if err != nil {
		tb.Fatal(err)
	}
	return sent{Service: rpctest.GuardedService, Path: u.Path, RawPath: u.RawPath}
}

func bearer(raw string) []string { return []string{"Bearer " + raw} }

// authorize asks a about what was sent.
func authorize(ctx context.Context, a *drawbridge.Authorizer, s sent) (context.Context, error) {
	return a.Authorize(ctx, s.Request())
}

// enter returns the context of a call that a lets in.
func enter(ctx context.Context, tb testing.TB, a *drawbridge.Authorizer, s sent) context.Context {
	tb.Helper()
	authorized, err := authorize(ctx, a, s)
	if err != nil {
		tb.Fatal(err)
	}
	return authorized
}

// metadataURL returns the URL of the metadata document that belongs to a request.
func metadataURL(ctx context.Context, a *drawbridge.Authorizer, s sent) string {
	req := s.Request()
	return a.Adapter().MetadataURL(ctx, &req)
}

// known is a verifier that knows some tokens and counts how often it is called.
type known struct {
	tokens map[string]*token.Info
	asked  atomic.Int64
}

var errUnknown = fmt.Errorf("%w: unknown", token.ErrInvalid)

func (k *known) VerifyToken(_ context.Context, raw string, _ *token.Resource) (*token.Info, error) {
	k.asked.Add(1)
	if info, ok := k.tokens[raw]; ok {
		return info, nil
	}
	return nil, errUnknown
}

// verify is a verifier that is a function.
type verify func(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error)

func (f verify) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	return f(ctx, raw, resource)
}

// people knows the tokens of a reader, a writer and an admin of base.
func people() *known {
	info := func(subject, scope string) *token.Info {
		return &token.Info{
			Issuer: issuer, Subject: subject, ClientID: "client-of-" + subject,
			Audience: []string{base}, Scopes: []string{scope},
		}
	}
	return &known{tokens: map[string]*token.Info{
		"t-reader": info("reader", rpctest.ScopeRead),
		"t-writer": info("writer", rpctest.ScopeWrite),
		"t-admin":  info("admin", rpctest.ScopeAdmin),
	}}
}

// config guards rpctest.Policy at base, for people.
func config() drawbridge.Config {
	return drawbridge.Config{
		Resources: []drawbridge.Resource{resource(base)},
		Policy:    rpctest.Policy(),
		Verifier:  people(),
		Logger:    slog.New(slog.DiscardHandler),
	}
}

func resource(identifier string, aliases ...string) drawbridge.Resource {
	return drawbridge.Resource{Identifier: identifier, AuthorizationServers: []string{issuer}, Aliases: aliases}
}

// serving returns r with services.
func serving(r drawbridge.Resource, services ...string) drawbridge.Resource {
	r.Services = services
	return r
}

func resources(identifiers ...string) []drawbridge.Resource {
	var all []drawbridge.Resource
	for _, identifier := range identifiers {
		all = append(all, resource(identifier))
	}
	return all
}

// withAdmin adds a service that requires more.
func withAdmin(cfg *drawbridge.Config) {
	cfg.Policy.Services["a.v1.A"] = policy.Service{Rule: policy.Rule{Scopes: []string{rpctest.ScopeAdmin}}, NoDescriptor: true}
}

// newAuthorizer returns an Authorizer with config, changed.
func newAuthorizer(tb testing.TB, changes ...func(*drawbridge.Config)) *drawbridge.Authorizer {
	tb.Helper()
	cfg := config()
	for _, change := range changes {
		change(&cfg)
	}
	a, err := drawbridge.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// denialOf returns the denial that err is, for a reason.
func denialOf(tb testing.TB, err error, reason challenge.Reason) *challenge.DenialError {
	tb.Helper()
	var denial *challenge.DenialError
	if !errors.As(err, &denial) {
		tb.Fatalf("got %v, want a denial", err)
	}
	if denial.Reason != reason {
		tb.Fatalf("denied as %v (%v), want %v", denial.Reason, denial.Cause, reason)
	}
	return denial
}

// letIn is not a reason for a denial.
const letIn = challenge.Reason(255)

// outcome returns the reason of a denial, or letIn.
func outcome(err error) challenge.Reason {
	if err == nil {
		return letIn
	}
	return challenge.DenialOf(err).Reason
}

// wantOutcome compares an error with a reason, or with letIn.
func wantOutcome(tb testing.TB, err error, want challenge.Reason) {
	tb.Helper()
	if want != letIn {
		denialOf(tb, err, want)
	} else if err != nil {
		tb.Fatalf("got %v (%v), want the call to be let in", err, challenge.DenialOf(err).Cause)
	}
}

// probe is a form by whose identity a test finds out whether a denial keeps its
// forms.
var probe = challenge.NewForm(func(*challenge.DenialError) *[1]byte { return new([1]byte) })

// isPrebuilt reports whether a denial keeps its forms.
func isPrebuilt(denial *challenge.DenialError) bool {
	first, second := probe.Of(denial), probe.Of(denial)
	return first == second
}

// record is the content of a log record.
type record map[string]any

// journal keeps what was logged.
type journal struct {
	mu      sync.Mutex
	records []record
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	entry := record{"level": r.Level, "msg": r.Message}
	r.Attrs(func(a slog.Attr) bool {
		entry[a.Key] = a.Value.Any()
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, entry)
	return nil
}

// take returns the one record since the last call.
func (j *journal) take(tb testing.TB) record {
	tb.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.records) != 1 {
		tb.Fatalf("SEED-1: logged %d times: %v", len(j.records), j.records)
	}
	entry := j.records[0]
	j.records = nil
	return entry
}

func (j *journal) wantNothing(tb testing.TB) {
	tb.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.records) != 0 {
		tb.Errorf("logged %v", j.records)
	}
}

// wantSendable fails unless a header is visible ASCII and spaces (R6750-3.c).
func wantSendable(tb testing.TB, header string) {
	tb.Helper()
	for i := range len(header) {
		if header[i] < ' ' || header[i] > '~' {
			tb.Fatalf("%q holds byte %#x", header, header[i])
		}
	}
}
