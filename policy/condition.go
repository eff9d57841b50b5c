package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A ConditionCompiler compiles the [Rule.Condition] of rules. Package policyfile/cel has
// one for CEL. It is used by one goroutine at a time.
type ConditionCompiler interface {
	// CompileCondition compiles a text for the calls of a target. The error says what
	// is wrong with the text, and where in it; it is the reason of a fault.
	CompileCondition(text string, target Target) (Condition, error)
}

// A Target is what a condition or a question is compiled for.
type Target struct {
	// Service is the full name of the service.
	Service string
	// Method is the plain name of the method. It is empty for the rule of a service.
	Method string
	// Request is the type of the message, if the rule is that of a unary method with a
	// descriptor. Otherwise it is nil, and what is compiled must not read the message:
	// that of a stream is not known when the call is judged.
	Request protoreflect.MessageDescriptor
}

// A Condition is a compiled [Rule].Condition or [Rule].Question. It is immutable and safe for concurrent
// use.
type Condition interface {
	// NeedsMessage reports whether the condition reads the message of the call.
	NeedsMessage() bool
	// Holds reports whether a call meets the condition. An error means that it does not,
	// and is the cause in the log, or, if it unwraps to [token.ErrUnavailable], that this
	// cannot be told right now. It must not hold what a token contains beyond the names of
	// its claims. Holds neither changes the Input nor keeps it.
	Holds(ctx context.Context, in Input) (bool, error)
}

// A ClaimReader is a [Condition] that says which claims of a token it reads. It is optional.
// With it, a claim that no verifier keeps is a fault at construction.
type ClaimReader interface {
	// Claims returns the names of top-level claims, see token.Info.Claims.
	Claims() []string
}

// ErrNeedsMessage is the cause of a shortfall of a caller that meets everything but what
// a rule asks of the message of the call, of a decision that was made without one.
var ErrNeedsMessage = errors.New("the rule depends on the message of the call, which was not decoded where it was judged")

// errConditionNotMet is the shortfall of a call that does not meet the condition of its
// rule.
var errConditionNotMet = forbidden(errors.New("the call does not meet the condition of the rule"))

// errWithoutMessage is the shortfall of a decision without the message.
var errWithoutMessage = &ShortfallError{Reason: challenge.ReasonInternal, Cause: ErrNeedsMessage}

// condition compiles Condition. It returns nil if a rule has none.
func (c *compiler) condition(where string, rule Rule, target Target) Condition {
	switch {
	case rule.Condition == "":
		return nil
	case c.Conditions == nil:
		c.fault(where+".Condition", rule.Condition, "is a condition, and there is nothing to compile it",
			"set Conditions of the Compiler, for instance to that of package policyfile/cel")
		return nil
	}
	compiled, err := c.Conditions.CompileCondition(rule.Condition, target)
	return c.checked(where+".Condition", rule.Condition, compiled, err, target)
}

// checked returns what a plug-in compiled, and adds a fault if it is not usable.
func (c *compiler) checked(where, value string, compiled Condition, err error, target Target) Condition {
	switch {
	case err != nil:
		c.fault(where, value, err.Error(), "")
		return nil
	case compiled == nil:
		c.fault(where, value, "was compiled to nothing, which is a bug of what compiled it", "")
	case compiled.NeedsMessage() && target.Request == nil:
		c.fault(where, value, "reads the message of the call, which only the rule of a unary method can", "")
	}
	return compiled
}

// targetOf returns the target of a rule: that of a service without a method.
func targetOf(service, method string, descriptor protoreflect.ServiceDescriptor) Target {
	target := Target{Service: service, Method: method}
	if descriptor == nil || method == "" {
		return target
	}
	found := descriptor.Methods().ByName(protoreflect.Name(method))
	if found != nil && !found.IsStreamingClient() && !found.IsStreamingServer() {
		target.Request = found.Input()
	}
	return target
}

// checkConditions returns nil if a call meets the condition and the question of r, in
// this order.
func (r *Requirement) checkConditions(ctx context.Context, in Input) error {
	waits := false
	for _, condition := range r.conditions {
		if in.Message == nil && condition.NeedsMessage() {
			waits = true // What the others say does not depend on it.
			continue
		}
		if shortfall := judge(ctx, condition, in); shortfall != nil {
			return shortfall
		}
	}
	if waits {
		return errWithoutMessage
	}
	return nil
}

// judge calls a condition, and its error. A panic lets nobody in.
func judge(ctx context.Context, condition Condition, in Input) (shortfall *ShortfallError) {
	defer func() {
		if value := recover(); value != nil {
			shortfall = &ShortfallError{Reason: challenge.ReasonInternal, Cause: panicked.New("the condition", value)}
		}
	}()
	holds, err := condition.Holds(ctx, in)
	switch {
	case err == nil && holds:
		return nil
	case err == nil:
		return errConditionNotMet
	case errors.Is(err, token.ErrUnavailable):
		return &ShortfallError{Reason: challenge.ReasonUnavailable, Cause: err}
	default:
		return forbidden(fmt.Errorf("the condition of the rule: %w", err))
	}
}

// StandsFor reports whether a decision about one call under r is one about every call
// under r with the same token and resource: r asks for nothing that depends on the call, or
// belongs to one procedure and does not read its message.
func (r *Requirement) StandsFor() bool {
	return len(r.conditions) == 0 || !r.isShared && !r.NeedsMessage()
}

// NeedsMessage reports whether r can be met only where the message of the call is known,
// see [Input].
func (r *Requirement) NeedsMessage() bool {
	return slices.ContainsFunc(r.conditions, Condition.NeedsMessage)
}
