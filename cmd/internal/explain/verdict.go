package explain

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// A Verdict is what a policy says about a caller and a procedure.
type Verdict struct {
	// Row is the procedure, with its rule.
	Row listing.Row
	// Answer is whether the caller is let in.
	Answer Answer
	// Decided names the part of the rule that decided. It is empty if several parts have to
	// be met and all are.
	Decided string
	// Reason is why the caller is not let in. It is meaningless if the answer is [Yes].
	Reason challenge.Reason
	// Detail says more about Decided.
	Detail string
	// Challenge is what a server asks for.
	Challenge challenge.Challenge
	// Parts are the parts of the rule, in the order in which they are judged. It is nil for
	// a rule that has none.
	Parts []Part
}

// An Answer is [Yes], [No] or [Unjudged].
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
	// Unjudged means that everything is met which this program can judge, and a condition
	// or a question remains.
	Unjudged Answer = "unjudged"
)

// A Judge judges callers by a policy.
type Judge struct {
	// Source and Table are the policy. Both are required.
	Source *source.Source
	Table  *policy.Table
	// Now is the time of the decision.
	Now time.Time
	// Message is the message of the call, nil if it is not known.
	Message proto.Message
}

// Explain judges a caller by the rule of a procedure, part by part.
func (j Judge) Explain(ctx context.Context, row listing.Row, caller Caller) (Verdict, error) {
	verdict := j.judge(ctx, row, caller)
	if row.Access != listing.AnyToken && row.Access != listing.Restricted {
		return verdict, nil
	}
	parts, err := j.parts(ctx, row, caller)
	if err != nil {
		return Verdict{}, err
	}
	verdict.Parts = parts
	for _, part := range parts {
		if verdict.Answer != Yes && part.State != Met {
			verdict.Decided, verdict.Detail = part.Name, part.Detail
			break
		}
	}
	return verdict, nil
}

// All judges a caller by every rule.
func (j Judge) All(ctx context.Context, rows []listing.Row, caller Caller) ([]Verdict, error) {
	var verdicts []Verdict
	for _, row := range rows {
		verdict, err := j.Explain(ctx, row, caller)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts, nil
}

func (j Judge) judge(ctx context.Context, row listing.Row, caller Caller) Verdict {
	verdict := Verdict{Row: row, Answer: No}
	requirement := j.requirement(row)
	switch {
	case requirement != nil && requirement.Public():
		verdict.Answer, verdict.Decided = Yes, "public"
		return verdict
	case requirement == nil:
		verdict.Decided, verdict.Reason = row.Access.Label(), challenge.ReasonNotFound
		if caller.Info == nil {
			verdict.Reason = challenge.ReasonNoCredentials
		}
		return verdict
	case caller.Info == nil:
		verdict.Decided, verdict.Reason, verdict.Detail = "token", challenge.ReasonNoCredentials, "there is no token"
		verdict.Challenge.Scopes = requirement.ChallengeScopes()
		return verdict
	}
	if detail := checkProof(requirement.Proof(), caller.Info); detail != "" {
		verdict.Decided, verdict.Reason, verdict.Detail = "proof", challenge.ReasonInvalidToken, detail
		return verdict
	}
	return verdict.decided(requirement.Check(ctx, j.input(row, caller)))
}

// decided returns v with what the error of a requirement says.
func (v Verdict) decided(err error) Verdict {
	shortfall, isShortfall := errors.AsType[*policy.ShortfallError](err)
	switch {
	case err == nil:
		v.Answer = Yes
	case isUnjudged(err):
		v.Answer = Unjudged
	case isShortfall:
		v.Reason = shortfall.Reason
		v.Challenge.Scopes, v.Challenge.ACRValues, v.Challenge.MaxAge = shortfall.Scopes, shortfall.ACRValues, shortfall.MaxAge
	}
	return v
}

// isUnjudged reports whether everything is met but what this program cannot judge.
func isUnjudged(err error) bool {
	return errors.Is(err, source.ErrUnjudged) || errors.Is(err, policy.ErrNeedsMessage)
}

func unjudgedText(err error) string {
	if errors.Is(err, policy.ErrNeedsMessage) {
		return "it depends on the message of the call, which is not known"
	}
	return source.ErrUnjudged.Error()
}

// requirement returns the requirement of a row, nil if it denies.
func (j Judge) requirement(row listing.Row) *policy.Requirement {
	if row.Method == "*" {
		return j.Table.LookupService(row.Service)
	}
	return j.Table.Lookup(row.Procedure())
}

func (j Judge) input(row listing.Row, caller Caller) policy.Input {
	return policy.Input{Info: caller.Info, Procedure: row.Procedure(), Now: j.Now, Message: j.Message}
}

// Needs says in one line what the token needs that it does not have.
func (v Verdict) Needs() string {
	switch {
	case v.Answer == Yes:
		return ""
	case v.Row.Access == listing.Denied, v.Row.Access == listing.NoRule:
		return "no token helps: every caller is denied"
	case v.Reason == challenge.ReasonNoCredentials:
		return v.Row.Rule.String()
	}
	var needs []string
	for _, part := range v.Parts {
		if part.State != Met {
			needs = append(needs, part.Requires)
		}
	}
	return strings.Join(needs, ", ")
}
