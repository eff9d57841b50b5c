package cel

import (
	"errors"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
	"cel.dev/cel-go/parser"
)

// maxText is the length in characters above which a condition is a fault.
const maxText = 8 << 10

// A language is what all conditions have in common. It is made of the parts of cel-go in
// place of its package cel, because an environment of that for each type of message takes
// longer to make than a condition to compile, and its parser longer than all the rest.
type language struct {
	parser     *parser.Parser
	provider   types.Provider
	checker    *checker.Env
	dispatcher interpreter.Dispatcher
	tracker    *cost.Tracker
	names      []string // of functions and variables, for suggestions
	maxCost    uint64
}

func newLanguage(maxCost uint64) (*language, error) {
	parsing, err := parser.NewParser(
		parser.Macros(parser.AllMacros...), parser.EnableHiddenAccumulatorName(true), parser.EnablePrattParser(true),
		parser.ExpressionSizeCodePointLimit(maxText),
	)
	provider, noTypes := types.NewRegistry()
	checking, noChecker := newChecker(provider)
	tracker, noTracker := cost.NewTracker(meter{}, cost.TrackerLimit(maxCost))
	if err := errors.Join(err, noTypes, noChecker, noTracker); err != nil {
		return nil, err
	}
	l := &language{
		parser: parsing, provider: provider, checker: checking, dispatcher: interpreter.NewDispatcher(), tracker: tracker,
		names: []string{nameNow, nameRequest, nameRPC, nameToken}, maxCost: maxCost,
	}
	err = checking.AddIdents(
		decls.NewVariable(nameToken, tokenType), decls.NewVariable(nameRPC, rpcType), decls.NewVariable(nameNow, types.TimestampType))
	for _, function := range append(ownFunctions(), stdlib.Functions()...) {
		err = errors.Join(err, l.add(function))
	}
	return l, err
}

// newChecker returns a checker that compares numbers of different types, because those of
// claims are doubles.
func newChecker(provider types.Provider, options ...checker.Option) (*checker.Env, error) {
	return checker.NewEnv(containers.DefaultContainer, provider, append(options, checker.CrossTypeNumericComparisons(true))...) //nolint:wrapcheck // It never fails.
}

func (l *language) add(function *decls.FunctionDecl) error {
	bindings, err := function.Bindings()
	for _, binding := range bindings {
		guard(function.Name(), binding)
	}
	err = errors.Join(err, l.dispatcher.Add(bindings...))
	if function.IsDeclarationDisabled() {
		return err
	}
	l.names = append(l.names, function.Name())
	return errors.Join(err, l.checker.AddFunctions(function))
}
