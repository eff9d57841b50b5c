package source

import (
	"context"
	"errors"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// ErrUnjudged is the error of a condition or a question that this program cannot answer.
// Everything before it in the rule was met.
var ErrUnjudged = errors.New("this program cannot judge it")

// unjudged accepts every condition and every question, and has an answer to none.
type unjudged struct{}

var (
	_ policy.ConditionCompiler = unjudged{}
	_ policy.QuestionCompiler  = unjudged{}
)

// CompileCondition accepts every text.
func (unjudged) CompileCondition(string, policy.Target) (policy.Condition, error) {
	return unjudged{}, nil
}

// CompileQuestion accepts every question.
func (unjudged) CompileQuestion(policy.Question, policy.Target) (policy.Condition, error) {
	return unjudged{}, nil
}

// NeedsMessage returns false, so that Holds is asked.
func (unjudged) NeedsMessage() bool { return false }

// Holds returns ErrUnjudged.
func (unjudged) Holds(context.Context, policy.Input) (bool, error) { return false, ErrUnjudged }
