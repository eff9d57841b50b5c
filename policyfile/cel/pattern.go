package cel

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

const (
	// maxPattern is the size of a compiled pattern above which it is a fault.
	maxPattern = 1_000
	// maxMatched is the length in bytes above which a text is not matched, because the
	// time that it takes goes with the product of both.
	maxMatched = 16 << 10
)

// checkPattern returns the number of steps of a pattern of matches, or what is wrong with it.
func checkPattern(pattern string) (steps uint64, err error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("is no pattern: %w", err)
	}
	compiled, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, fmt.Errorf("is no pattern: %w", err)
	}
	if len(compiled.Inst) > maxPattern {
		return 0, fmt.Errorf("is a pattern of %d steps, more than %d", len(compiled.Inst), maxPattern)
	}
	return uint64(len(compiled.Inst)), nil
}

// A match is a step of a program that looks for a pattern, which is compiled with the
// condition, in a text.
type match struct {
	call    interpreter.InterpretableCall
	text    interpreter.InterpretableV2
	pattern *regexp.Regexp
	steps   uint64
	limit   uint64
}

// newMatch returns what replaces a call, or nil if the call is none of matches.
func newMatch(call interpreter.InterpretableCall, limit uint64) *match {
	if call.Function() != overloads.Matches {
		return nil
	}
	pattern := constant(call.Args()[1])
	steps, _ := checkPattern(pattern) // A restriction has reported the error.
	return &match{call: call, text: call.Args()[0], pattern: regexp.MustCompile(pattern), steps: steps, limit: limit}
}

// constant returns a literal text, which a restriction has seen to.
func constant(step interpreter.InterpretableV2) string {
	return string(step.(interpreter.InterpretableConst).Value().(types.String)) //nolint:forcetypeassert // See above.
}

// ID implements interpreter.Interpretable.
func (m *match) ID() int64 { return m.call.ID() }

// Exec implements interpreter.InterpretableV2. In the worst case, each step is tried at
// each byte of the text.
func (m *match) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.text.Exec(frame)
	if types.IsUnknownOrError(value) {
		return types.LabelErrNode(m.call.ID(), value)
	}
	text, ok := value.(types.String)
	switch {
	case !ok:
		return types.NewErrWithNodeID(m.call.ID(), "no such overload")
	case len(text) > maxMatched:
		return types.LabelErrNode(m.call.ID(), types.WrapErr(errTooLong))
	}
	b := newBill(frame, m.limit)
	b.charge(1 + uint64(len(text))*m.steps/bytesPerUnit)
	b.pay(m.call.ID())
	return types.Bool(m.pattern.MatchString(string(text)))
}

// Eval implements interpreter.Interpretable.
func (m *match) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, m.Exec)
}
