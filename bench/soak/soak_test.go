package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// short are the options of a soak with as many events as fit into a few seconds.
func short() options {
	return options{
		duration: 5 * time.Minute, // far more than it takes
		calls:    5000,
		seed:     1,
		workers:  4,
		streams:  4,
		every:    300 * time.Millisecond,
		patience: time.Minute,
		pace: pace{
			reload:   20 * time.Millisecond,
			verifier: time.Second,
			rotation: 400 * time.Millisecond,
			outage:   250 * time.Millisecond,
			length:   100 * time.Millisecond,
			short:    100 * time.Millisecond,
		},
	}
}

// TestSoak: no decision is wrong, and nothing is left behind. It runs alone,
// because it counts the goroutines of the process.
func TestSoak(t *testing.T) {
	var out bytes.Buffer
	if err := soak(t.Context(), short(), &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, part := range []string{"soak: seed 1", "end:", "soak: passed"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in the report:\n%s", part, out.String())
		}
	}
	for _, surface := range surfaceNames {
		if !strings.Contains(out.String(), "  "+surface+"  ") {
			t.Errorf("no %q in the matrix:\n%s", surface, out.String())
		}
	}
}

// verify is a verifier that changes the result of another one.
type verify struct {
	token.Verifier

	change func(*token.Info, error) (*token.Info, error)
}

func (v verify) VerifyToken(ctx context.Context, raw string, resource *token.Resource) (*token.Info, error) {
	return v.change(v.Verifier.VerifyToken(ctx, raw, resource))
}

// changed replaces the verifier of a configuration.
func changed(change func(*token.Info, error) (*token.Info, error)) func(*drawbridge.Config) {
	return func(cfg *drawbridge.Config) { cfg.Verifier = verify{cfg.Verifier, change} }
}

// acceptAll believes every token.
func acceptAll(cfg *drawbridge.Config) {
	issuer := cfg.Resources[0].AuthorizationServers[0]
	audience := []string{cfg.Resources[0].Identifier, cfg.Resources[1].Identifier}
	cfg.Verifier = verify{cfg.Verifier, func(info *token.Info, err error) (*token.Info, error) {
		if errors.Is(err, token.ErrInvalid) {
			return &token.Info{Issuer: issuer, Subject: "mallory", Audience: audience, Scopes: strings.Fields(allScopes)}, nil
		}
		return info, err
	}}
}

// mixUp gives a caller the facts of another one now and then.
func mixUp() func(*drawbridge.Config) {
	var last atomic.Pointer[token.Info]
	return changed(func(info *token.Info, err error) (*token.Info, error) {
		if err != nil {
			return nil, err
		}
		if other := last.Swap(info); other != nil && !other.Expired(time.Now()) {
			return other, nil
		}
		return info, nil
	})
}

// keepPolicy makes every reload put the same policy in force.
func keepPolicy() func(*drawbridge.Config) {
	var once sync.Once
	var first drawbridge.Config
	return func(cfg *drawbridge.Config) {
		once.Do(func() { first = *cfg })
		cfg.Policy, cfg.Resources = first.Policy, first.Resources
	}
}

// TestWrongDecision: the oracle notices a wrong decision of every kind.
func TestWrongDecision(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(*drawbridge.Config){
		"a broken verifier": acceptAll,
		"R9068-4.c RPC-2 an outage is a 401": changed(func(info *token.Info, err error) (*token.Info, error) {
			if errors.Is(err, token.ErrUnavailable) {
				err = token.ErrInvalid
			}
			return info, err
		}),
		"an invalid token is an outage": changed(func(info *token.Info, err error) (*token.Info, error) {
			if errors.Is(err, token.ErrInvalid) {
				err = token.ErrUnavailable
			}
			return info, err
		}),
		"a stream goes on after its token": changed(func(info *token.Info, err error) (*token.Info, error) {
			if info = info.Clone(); info != nil {
				info.Expiry = time.Time{}
			}
			return info, err
		}),
		"a bound token is a bearer token": changed(func(info *token.Info, err error) (*token.Info, error) {
			if info = info.Clone(); info != nil {
				info.Confirmation = nil
			}
			return info, err
		}),
		"callers are mixed up": mixUp(),
		"R8707-2 a further audience": func(cfg *drawbridge.Config) {
			cfg.Resources[0].Audiences = []string{"https://elsewhere.example.com"}
		},
		"a policy that the oracle does not know": func(cfg *drawbridge.Config) {
			cfg.Policy.Services[filesService] = policy.Service{Rule: policy.Rule{Public: true}, NoDescriptor: true}
			cfg.Resources[0].Services = append(cfg.Resources[0].Services, filesService)
			cfg.Resources[0].Services = compact(cfg.Resources[0].Services)
		},
		"a scope that implies another": func(cfg *drawbridge.Config) {
			cfg.Policy.Implies = map[string][]string{"elsewhere": {scopeRead, scopeWrite, scopeAdmin}}
		},
		"a reload without effect": keepPolicy(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := short()
			o.calls, o.isFatal, o.patience, o.tamper = 0, true, 0, tamper
			var out bytes.Buffer
			err := soak(t.Context(), o, &out)
			if !errors.Is(err, errFailed) || !strings.Contains(out.String(), "WRONG DECISION: ") || !strings.Contains(out.String(), "wrong decisions (seed 1)") {
				t.Errorf("got %v, want a wrong decision\n%s", err, out.String())
			}
		})
	}
}

// compact returns the values, each once.
func compact(values []string) (list []string) {
	seen := make(map[string]bool)
	for _, value := range values {
		if !seen[value] {
			list = append(list, value)
		}
		seen[value] = true
	}
	return list
}

// TestNotStarted: a configuration with a fault ends the soak, at once or later.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int64{"at the start": 0, "at a reload": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made atomic.Int64
			o := short()
			o.calls = 0
			o.tamper = func(cfg *drawbridge.Config) {
				if made.Add(1) > after {
					cfg.Verifier = nil
				}
			}
			var out bytes.Buffer
			if err := soak(t.Context(), o, &out); err == nil || errors.Is(err, errFailed) || !strings.Contains(err.Error(), "Verifier") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		last sample
		want string
	}{
		"less":       {sample{heap: 1, goroutines: 1}, ""},
		"as much":    {sample{heap: 1000 + heapBound, goroutines: 10 + goroutineBound}, ""},
		"heap":       {sample{heap: 1001 + heapBound, goroutines: 10}, "the heap grew"},
		"goroutines": {sample{heap: 1000, goroutines: 11 + goroutineBound}, "goroutines grew"},
	} {
		got := strings.Join(growth(sample{heap: 1000, goroutines: 10}, tt.last), "; ")
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	if _, faults := left(-1000, 0); len(faults) != 1 || !strings.Contains(faults[0], "TestLeft") {
		t.Errorf("got %q, want the stacks", faults)
	}
	if _, faults := left(1<<20, 0); faults != nil {
		t.Errorf("got %q", faults)
	}
}

// TestCommand: the exit code says how it ended.
func TestCommand(t *testing.T) {
	wrong := short()
	wrong.tamper, wrong.isFatal, wrong.patience = acceptAll, true, 0
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context //nolint:containedctx // It is an argument.
		options options
		args    string
		code    int
		want    string
	}{
		"a few calls":       {t.Context(), short(), "-calls 50 -workers 2 -seed 7", 0, "soak: seed 7, 2 workers, 2m0s, 50 calls"},
		"a wrong decision":  {t.Context(), wrong, "-seed 7", 1, "soak: the soak failed"},
		"interrupted":       {interrupted, short(), "-seed 7", 0, "soak: passed"},
		"an unknown flag":   {t.Context(), short(), "-unknown", 2, "flag provided but not defined"},
		"no worker":         {t.Context(), short(), "-workers 0", 2, "one worker at least"},
		"no time":           {t.Context(), short(), "-duration 1ms", 2, "a second at least"},
		"an argument":       {t.Context(), short(), "now", 2, "no arguments"},
		"a negative number": {t.Context(), short(), "-calls -1", 2, "at least"},
	} {
		var out bytes.Buffer
		if code := command(tt.ctx, tt.options, strings.Fields(tt.args), &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: got %d, want %d and %q\n%s", name, code, tt.code, tt.want, out.String())
		}
	}
}

// TestVerdict: what is no denial of drawbridge is a failure, and never expected.
func TestVerdict(t *testing.T) {
	t.Parallel()
	failure := errors.New("connection reset")
	for name, got := range map[string]verdict{
		"connect-go": connectVerdict(failure),
		"grpc-go":    grpcVerdict(failure),
		"HTTP":       classifyHTTP(502, nil, ""),
		"MCP":        (&answer{status: 200, body: "no JSON"}).verdict(),
		"JSON-RPC":   (&answer{status: 200, body: `{"error":{"code":-32603,"message":"internal error"}}`}).verdict(),
	} {
		if got.class != failed || got.matches(got) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
