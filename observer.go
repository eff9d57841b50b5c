package drawbridge

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// An Observer receives every decision of an [Authorizer], allowed ones too: for
// metrics, traces or an audit trail.
//
// ObserveDecision is called once for each decision, on the goroutine of the call,
// before the call goes on; an Observer that takes long delays it. It is called
// concurrently. It cannot change the decision: the Decision is a value of its
// own, and a panic is logged. The context is that of the call.
type Observer interface {
	ObserveDecision(ctx context.Context, decision Decision)
}

// Decision is a decision of an [Authorizer], for an [Observer]. Fields that do
// not apply are zero: a decision by a public rule has no token, and Check has no
// path.
type Decision struct {
	// Allowed reports whether the call was let in.
	Allowed bool
	// Reason, Cause and Sentence describe a denial. Cause is what the log says,
	// and may be nil; the caller sees the Sentence.
	Reason   challenge.Reason
	Cause    error
	Sentence string

	// Procedure is the RPC, "/pkg.Service/Method". It is empty for a plain HTTP
	// request. HasMethod reports whether the policy or a descriptor names the very
	// method; otherwise the caller may have made it up.
	Procedure string
	HasMethod bool
	// Service is the service whose rule decided. It is empty if no rule did.
	Service string
	// Method and Path are those of the request, the path decoded.
	Method, Path string
	// Resource is the identifier of the protected resource (RFC 9728 §1.2).
	Resource string

	// Issuer, Subject and ClientID are those of the token that was verified.
	Issuer, Subject, ClientID string
	// Party is whom the token speaks for. Actor is who acts for the subject (RFC 8693
	// §4.1), nil if the subject acts for itself: a copy, with the actors before it,
	// which are informative.
	Party token.Party
	Actor *token.Actor
	// RequiredScopes are the scopes that a challenge of the rule asks for, and
	// GrantedScopes those of the token.
	RequiredScopes, GrantedScopes []string

	// Peer is the address and port of the other end of the connection.
	Peer string
	// Span is the caller's span: that of the context, or else the one that the
	// traceparent field of the request names (W3C Trace Context §3.2).
	Span trace.SpanContext
	// Start is when the decision began, and Duration how long it took,
	// verification included. They are zero for a denial that an adapter or a
	// stream made outside of a decision.
	Start    time.Time
	Duration time.Duration
}

// record is a decision as the Authorizer keeps it: nothing is copied or read
// unless it is observed. It does not hold the request, which would move it to the
// heap.
type record struct {
	at     *checkpoint // nil if a public rule or no rule decided
	info   *token.Info
	denial *challenge.DenialError
	start  time.Time // zero unless there are observers
}

// observe logs a denial, and passes the decision to every observer.
func (s *state) observe(ctx context.Context, req *Request, r *record) {
	if r.denial != nil {
		s.logDenial(ctx, req, r)
	}
	if len(s.observers) == 0 {
		return
	}
	decision := r.decision(ctx, s.table, req)
	if !r.start.IsZero() {
		decision.Duration = time.Since(r.start)
	}
	for _, observer := range s.observers {
		s.notify(ctx, observer, decision.clone())
	}
}

// notify calls an observer, and survives it.
func (s *state) notify(ctx context.Context, observer Observer, decision Decision) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err := panicked.New("an observer", value)
		s.log().LogAttrs(ctx, slog.LevelError, "drawbridge: observer failed",
			slog.String("cause", clip(err.Error(), maxCause)), slog.String("stack", clip(string(err.Stack), maxStack)))
	}()
	observer.ObserveDecision(ctx, decision)
}

func (r *record) decision(ctx context.Context, table *policy.Table, req *Request) Decision {
	d := Decision{
		Allowed:   r.denial == nil,
		Procedure: req.Procedure,
		HasMethod: table.HasMethod(req.Procedure),
		Method:    req.Method,
		Path:      req.path(),
		Peer:      req.peer(ctx),
		Span:      spanOf(ctx, req),
		Start:     r.start,
	}
	if r.denial != nil {
		d.Reason, d.Cause, d.Sentence = r.denial.Reason, r.denial.Cause, r.denial.Challenge.ErrorDescription
	}
	if r.at != nil && r.at.requirement != nil {
		d.Service = r.at.requirement.Service()
		d.RequiredScopes = r.at.requirement.ChallengeScopes()
	}
	if r.at != nil && r.at.requirement != nil && !r.at.requirement.Public() {
		d.Resource = r.at.address.Identifier
	}
	if r.info != nil {
		d.Issuer, d.Subject, d.ClientID, d.GrantedScopes = r.info.Issuer, r.info.Subject, r.info.ClientID, r.info.Scopes
		d.Party, d.Actor = r.info.Party, r.info.Actor
	}
	return d
}

func (d Decision) clone() Decision {
	d.RequiredScopes = slices.Clone(d.RequiredScopes)
	d.GrantedScopes = slices.Clone(d.GrantedScopes)
	if d.Actor != nil {
		d.Actor = (&token.Info{Actor: d.Actor}).Clone().Actor // with the actors before it
	}
	return d
}

// spanOf returns the caller's span. The field counts where nothing that knows
// about traces ran before the decision, such as a handler option of Connect.
func spanOf(ctx context.Context, req *Request) trace.SpanContext {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() || req.Transport == nil {
		return span
	}
	return parseTraceParent(req.Transport.Values(ctx, "Traceparent"))
}
