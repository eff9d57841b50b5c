package interceptor

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
)

// RelayConfig says which denials of backends a relay passes on to the caller of the
// server. The zero RelayConfig is for backends that are called with a token of the
// server's own, because a received token is never sent on: it passes on
// [challenge.ReasonInsufficientScope], from which the caller can step up, and
// [challenge.ReasonUnavailable], with which it keeps its token. A backend that
// refuses the server's own token says nothing about that of the caller, who would
// discard a good one. So any other denial becomes [challenge.ReasonInternal], and
// the log gets its cause.
type RelayConfig struct {
	// InsufficientAuthentication passes on
	// [challenge.ReasonInsufficientAuthentication] too. It is for tokens that were
	// exchanged for that of the caller (RFC 8693), because they state how and when
	// the user authenticated. With a token of the server alone the user would
	// authenticate again and again in vain.
	InsufficientAuthentication bool
	// Forbidden passes on [challenge.ReasonForbidden] too. It is for tokens that
	// name the caller; of a token of the server alone, it says that the server is
	// misconfigured.
	Forbidden bool
	// DangerouslyEveryReason passes on every denial as it is, those of the token
	// itself too. It is for calls with the very credentials of the caller, to a
	// backend of the same resource. With any other token, the caller discards a
	// good one when a backend refuses that of the server.
	DangerouslyEveryReason bool
	// Logger receives the denials that are not passed on. Nil means slog.Default()
	// at the time of the record.
	Logger *slog.Logger
}

// Relay records the denial with which a backend refused a call of a procedure, so
// that it becomes the response of the bridge around the caller. The error carried
// the denial. Outside of a bridge, Relay does nothing.
func (c RelayConfig) Relay(ctx context.Context, procedure string, denial *challenge.DenialError, err error) {
	if exchange.FromContext(ctx) == nil {
		return
	}
	if !c.passes(denial) {
		c.log(ctx, procedure, denial, err)
		denial = challenge.NewDenial(challenge.ReasonInternal, err)
	}
	Relay(ctx, denial, err)
}

// passes reports whether the caller gets a denial as it is. One that was made in
// this process is about the caller.
func (c RelayConfig) passes(denial *challenge.DenialError) bool {
	switch {
	case !denial.Remote, c.DangerouslyEveryReason:
		return true
	case denial.Reason == challenge.ReasonInsufficientAuthentication:
		return c.InsufficientAuthentication
	case denial.Reason == challenge.ReasonForbidden:
		return c.Forbidden
	default:
		return denial.Reason == challenge.ReasonInsufficientScope || denial.Reason == challenge.ReasonUnavailable
	}
}

func (c RelayConfig) log(ctx context.Context, procedure string, denial *challenge.DenialError, err error) {
	logger := c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	// A backend may send a long message.
	logger.LogAttrs(ctx, slog.LevelError, "drawbridge: a backend refused a call of this server",
		slog.String("procedure", procedure),
		slog.String("reason", denial.Reason.String()),
		slog.String("cause", fmt.Sprintf("%.1024s", err)))
}
