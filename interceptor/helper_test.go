package interceptor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/rpctest"
)

const (
	base      = "https://api.example.com"
	issuer    = "https://login.example.com"
	wellKnown = "/.well-known/oauth-protected-resource"
)

// The procedures of rpctest.Policy.
var (
	guarded = rpctest.Procedure(rpctest.GuardedService, rpctest.Unary)
	public  = rpctest.Procedure(rpctest.PublicService, rpctest.Unary)
	nowhere = rpctest.Procedure(rpctest.NowhereService, rpctest.Unary)
)

// known is a verifier that knows some tokens and counts how often it is asked.
type known struct {
	tokens map[string]*interceptor.TokenInfo
	asked  atomic.Int64
}

var errStranger = fmt.Errorf("%w: stranger", interceptor.ErrInvalidToken)

func (k *known) VerifyToken(_ context.Context, token string) (*interceptor.TokenInfo, error) {
	k.asked.Add(1)
	if info, ok := k.tokens[token]; ok {
		return info, nil
	}
	return nil, errStranger
}

// verify is a verifier that is a function.
type verify func(ctx context.Context, token string) (*interceptor.TokenInfo, error)

func (f verify) VerifyToken(ctx context.Context, token string) (*interceptor.TokenInfo, error) {
	return f(ctx, token)
}

// people are the tokens of a reader, a writer and an admin of base.
func people() *known {
	token := func(subject, scope string) *interceptor.TokenInfo {
		return &interceptor.TokenInfo{
			Issuer: issuer, Subject: subject, ClientID: "client-of-" + subject,
			Audience: []string{base}, Scopes: []string{scope},
		}
	}
	return &known{tokens: map[string]*interceptor.TokenInfo{
		"t-reader": token("reader", rpctest.ScopeRead),
		"t-writer": token("writer", rpctest.ScopeWrite),
		"t-admin":  token("admin", rpctest.ScopeAdmin),
	}}
}

// config guards rpctest.Policy at base, for people.
func config() interceptor.Config {
	return interceptor.Config{
		Resources: []interceptor.Resource{resource(base)},
		Policy:    rpctest.Policy(),
		Verifier:  people(),
		Logger:    slog.New(slog.DiscardHandler),
	}
}

func resource(identifier string, aliases ...string) interceptor.Resource {
	return interceptor.Resource{Identifier: identifier, AuthorizationServers: []string{issuer}, Aliases: aliases}
}

func resources(identifiers ...string) []interceptor.Resource {
	var all []interceptor.Resource
	for _, identifier := range identifiers {
		all = append(all, resource(identifier))
	}
	return all
}

// newAuthorizer returns an Authorizer with config, changed.
func newAuthorizer(tb testing.TB, change func(*interceptor.Config)) *interceptor.Authorizer {
	tb.Helper()
	cfg := config()
	if change != nil {
		change(&cfg)
	}
	a, err := interceptor.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func bearer(token string) []string { return []string{"Bearer " + token} }

// denialOf returns the denial that err is, of one kind.
func denialOf(tb testing.TB, err error, kind interceptor.Kind) *interceptor.ChallengeError {
	tb.Helper()
	var denial *interceptor.ChallengeError
	if !errors.As(err, &denial) {
		tb.Fatalf("got %v, want a denial", err)
	}
	if denial.Kind != kind {
		tb.Fatalf("denied as %v (%v), want %v", denial.Kind, denial.Cause, kind)
	}
	return denial
}

// letIn is no kind of denial.
const letIn = interceptor.Kind(255)

// wantOutcome compares an error with a kind, or with letIn.
func wantOutcome(tb testing.TB, err error, want interceptor.Kind) {
	tb.Helper()
	if want != letIn {
		denialOf(tb, err, want)
	} else if err != nil {
		tb.Fatalf("got %v, want to be let in", err)
	}
}

// record is what a log record holds.
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

func readVectors[V any](tb testing.TB, path string) []V {
	tb.Helper()
	file, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var vectors []V
	if err := decoder.Decode(&vectors); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return vectors
}
