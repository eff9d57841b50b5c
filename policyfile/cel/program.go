package cel

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/containers"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A program is a compiled text. It is immutable and safe for concurrent use.
type program struct {
	language *language
	request  protoreflect.MessageDescriptor // or nil
	info     *ast.SourceInfo                // where the parts of the text are

	step         interpreter.InterpretableV2
	needsMessage bool
	claims       []string // of the token, that are read by a name in the text
	// watched is whether the program has loops, so that it costs more than the call is long.
	watched bool
}

// CompileCondition implements [policy.ConditionCompiler].
func (c *Conditions) CompileCondition(text string, target policy.Target) (compiled policy.Condition, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if recover() != nil {
			compiled, err = nil, errors.New("is no condition: it made the compiler of CEL panic")
		}
	}()
	key := cacheKey{text: text, request: target.Request}
	p := c.programs.load(key)
	if p == nil {
		if p, err = c.language.compile(text, target.Request); err != nil {
			return nil, err
		}
		// What is kept refers to no memory of the caller, which may be a whole file.
		key.text = strings.Clone(text)
		c.programs.store(key, p)
	}
	return &condition{program: p, service: target.Service}, nil
}

func (l *language) compile(text string, request protoreflect.MessageDescriptor) (*program, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("is no condition: it is empty")
	}
	source, err := common.NewTextSourceWithLimit(text, maxText)
	if err != nil {
		return nil, fmt.Errorf("is no condition: it has more than %d characters", maxText)
	}
	parsed, failed := l.parser.Parse(source)
	if len(failed.GetErrors()) > 0 {
		return nil, syntaxFault(failed.GetErrors())
	}
	scope := newScope(l.provider, request)
	checked, err := l.check(parsed, source, scope)
	if err != nil {
		return nil, err
	}
	p := &program{language: l, request: request, info: checked.SourceInfo()}
	if err := p.restrict(checked); err != nil {
		return nil, err
	}
	if err := l.checkCost(checked); err != nil {
		return nil, faultsOf("is too costly", []located{{reason: err.Error()}})
	}
	if err := p.plan(checked, scope); err != nil {
		return nil, err
	}
	return p, nil
}

// check finds the type of each part of a text. The result has to be a bool: a claim that
// is compared with nothing has no type that is known.
func (l *language) check(parsed *ast.AST, source common.Source, scope *scope) (*ast.AST, error) {
	env, err := newChecker(scope, checker.ValidatedDeclarations(l.checker))
	if err == nil && scope.request != nil {
		err = env.AddIdents(decls.NewVariable(nameRequest, types.NewObjectType(string(scope.request.FullName()))))
	}
	if err != nil {
		return nil, errors.New("is no condition: " + err.Error())
	}
	checked, failed := checker.Check(parsed, source, env)
	if len(failed.GetErrors()) > 0 {
		return nil, l.checkFault(checked, scope, source.Content(), failed.GetErrors())
	}
	if kind := checked.GetType(checked.Expr().ID()); kind.Kind() != types.BoolKind {
		return nil, resultFault(kind)
	}
	return checked, nil
}

// plan makes the steps of a checked text.
func (p *program) plan(checked *ast.AST, scope *scope) error {
	attributes := interpreter.NewAttributeFactory(containers.DefaultContainer, adapter{}, scope)
	planner := interpreter.NewInterpreter(p.language.dispatcher, containers.DefaultContainer, scope, adapter{}, attributes)
	options := []interpreter.PlannerOption{interpreter.CustomDecoratorV2(p.language.replace), interpreter.Optimize()}
	if p.watched {
		options = append(options, interpreter.InterruptableEval())
	}
	var err error
	if p.step, err = planner.NewInterpretable(checked, options...); err != nil {
		return errors.New("is no condition: " + err.Error())
	}
	return nil
}

// replace puts the steps of this package in place of those of CEL.
func (l *language) replace(step interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := step.(interpreter.InterpretableCall)
	if !ok {
		return step, nil
	}
	if replaced := newComparison(call, l.maxCost); replaced != nil {
		return replaced, nil
	}
	if replaced := newZonedCall(call); replaced != nil {
		return replaced, nil
	}
	if replaced := newMatch(call, l.maxCost); replaced != nil {
		return replaced, nil
	}
	return step, nil
}
