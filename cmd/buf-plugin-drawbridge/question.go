package main

import (
	"context"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// anyQuestion takes the questions of rules as they are: only the server knows the
// decision point that it asks.
type anyQuestion struct{}

var (
	_ policy.QuestionCompiler = anyQuestion{}
	_ policy.Condition        = anyQuestion{}
)

// CompileQuestion implements [policy.QuestionCompiler].
func (anyQuestion) CompileQuestion(policy.Question, policy.Target) (policy.Condition, error) {
	return anyQuestion{}, nil
}

// NeedsMessage implements [policy.Condition].
func (anyQuestion) NeedsMessage() bool { return false }

// Holds implements [policy.Condition].
func (anyQuestion) Holds(context.Context, policy.Input) (bool, error) { return false, nil }
