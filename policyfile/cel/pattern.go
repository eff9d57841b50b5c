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

// checkPattern returns what is wrong with a pattern of matches, or nil.
func checkPattern(pattern string) error {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return fmt.Errorf("is no pattern: %w", err)
	}
	compiled, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("is no pattern: %w", err)
	}
	if len(compiled.Inst) > maxPattern {
		return fmt.Errorf("is a pattern of %d steps, more than %d", len(compiled.Inst), maxPattern)
	}
	return nil
}

// compilePatterns compiles the pattern of each call of matches once.
var compilePatterns = interpreter.CompileRegexConstants(&interpreter.RegexOptimization{
	Function:   overloads.Matches,
	RegexIndex: 1,
	Factory: func(call interpreter.InterpretableCall, pattern string) (interpreter.InterpretableCall, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err //nolint:wrapcheck // checkPattern has reported it.
		}
		matches := func(values ...ref.Val) ref.Val {
			text, ok := values[0].(types.String)
			switch {
			case !ok:
				return types.MaybeNoSuchOverloadErr(values[0])
			case len(text) > maxMatched:
				return types.WrapErr(errTooLong)
			default:
				return types.Bool(compiled.MatchString(string(text)))
			}
		}
		return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), matches), nil
	},
})
