package interceptor_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// TestRelayConfig: a backend's denial for a token of the server's own becomes no 401
// for the caller, unless that is asked for (RPC-2, MCP-7). The log gets what is not
// passed on.
func TestRelayConfig(t *testing.T) {
	t.Parallel()
	all := []challenge.Reason{
		challenge.ReasonInternal, challenge.ReasonNoCredentials, challenge.ReasonInvalidRequest, challenge.ReasonInvalidToken,
		challenge.ReasonInsufficientScope, challenge.ReasonInsufficientAuthentication, challenge.ReasonNotFound,
		challenge.ReasonUnavailable, challenge.ReasonForbidden, challenge.ReasonForbiddenOrigin,
	}
	for _, tt := range []struct {
		name   string
		cfg    interceptor.RelayConfig
		passed []challenge.Reason
	}{
		{"the zero value", interceptor.RelayConfig{}, []challenge.Reason{challenge.ReasonInsufficientScope, challenge.ReasonUnavailable}},
		{"exchanged tokens", interceptor.RelayConfig{InsufficientAuthentication: true}, []challenge.Reason{
			challenge.ReasonInsufficientScope, challenge.ReasonInsufficientAuthentication, challenge.ReasonUnavailable,
		}},
		{"tokens that name the caller", interceptor.RelayConfig{Forbidden: true}, []challenge.Reason{
			challenge.ReasonInsufficientScope, challenge.ReasonUnavailable, challenge.ReasonForbidden,
		}},
		{"tokens of the caller", interceptor.RelayConfig{DangerouslyEveryReason: true}, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			passed := make(map[challenge.Reason]bool)
			for _, reason := range tt.passed {
				passed[reason] = true
			}
			for _, reason := range all {
				var log bytes.Buffer
				cfg := tt.cfg
				cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
				e := &exchange.Exchange{Denials: new(exchange.Recorder), Native: new(exchange.Native)}
				refused, err := denialFor(reason), errors.New("kid-4711 "+strings.Repeat("x", 1<<16))
				refused.Remote = true
				cfg.Relay(exchange.NewContext(t.Context(), e), "/a.v1.A/Get", refused, err)
				got := e.Denials.Denial()
				if passed[reason] {
					if got != refused || log.Len() != 0 {
						t.Errorf("%v: recorded %+v, logged %q", reason, got, &log)
					}
					continue
				}
				if got.Reason != challenge.ReasonInternal || got.Remote || !errors.Is(got, err) || len(got.Challenge.Scopes) != 0 {
					t.Errorf("RPC-2: %v: recorded %+v", reason, got)
				}
				record := log.String()
				for _, want := range []string{"level=ERROR", "procedure=/a.v1.A/Get", "reason=" + reason.String(), "kid-4711"} {
					if strings.Count(record, "\n") != 1 || len(record) > 2000 || !strings.Contains(record, want) {
						t.Errorf("SEED-1: %v: logged %.2000s, want %s", reason, record, want)
					}
				}
				if e.Denials.Dismiss(err); e.Denials.Denial() != nil {
					t.Errorf("%v: it cannot be dismissed", reason)
				}
			}
		})
	}
}

// TestRelayConfigOfThisProcess: a denial that was made in this process is about the
// caller, and outside of a bridge nothing happens.
func TestRelayConfigOfThisProcess(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := interceptor.RelayConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	denial := denialFor(challenge.ReasonInvalidToken)
	e := &exchange.Exchange{Denials: new(exchange.Recorder), Native: new(exchange.Native)}
	cfg.Relay(exchange.NewContext(t.Context(), e), "/a.v1.A/Get", denial, denial)
	if got := e.Denials.Denial(); got != denial {
		t.Errorf("recorded %v", got)
	}
	remote := *denial
	remote.Remote = true
	cfg.Relay(t.Context(), "/a.v1.A/Get", &remote, &remote)
	if log.Len() != 0 {
		t.Errorf("logged %q", &log)
	}
	// Without a logger, it is slog.Default().
	interceptor.RelayConfig{}.Relay(exchange.NewContext(t.Context(), e), "/a.v1.A/Get", &remote, &remote)
}
