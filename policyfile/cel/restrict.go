package cel

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A restriction collects what CEL allows and a condition does not.
type restriction struct {
	program *program
	checked *ast.AST
	// operands are the parts of which a field is read.
	operands map[int64]bool
	faults   []located
}

// restrict checks the parts of a text, and finds out what the program needs.
func (p *program) restrict(checked *ast.AST) error {
	r := &restriction{program: p, checked: checked, operands: make(map[int64]bool)}
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(r.visit))
	if len(r.faults) > 0 {
		return faultsOf("is no condition", r.faults)
	}
	return nil
}

func (r *restriction) fault(e ast.Expr, reason string) {
	r.faults = append(r.faults, located{location: r.checked.SourceInfo().GetStartLocation(e.ID()), reason: reason})
}

func (r *restriction) visit(e ast.Expr) {
	if holdsAny(r.checked.GetType(e.ID())) {
		r.fault(e, "the type of what a google.protobuf.Any holds is not known")
	}
	switch e.Kind() {
	case ast.SelectKind:
		selected := e.AsSelect()
		r.operands[selected.Operand().ID()] = true
		if isClaims(selected.Operand()) {
			r.program.addClaim(selected.FieldName())
		}
	case ast.IdentKind:
		r.ident(e)
	case ast.CallKind:
		r.call(e)
	case ast.StructKind:
		r.fault(e, "a condition makes no messages")
	case ast.ComprehensionKind:
		r.comprehension(e)
	default:
	}
}

// isClaims reports whether a part of a text is token.claims.
func isClaims(e ast.Expr) bool {
	if e.Kind() != ast.SelectKind || e.AsSelect().FieldName() != nameClaims {
		return false
	}
	operand := e.AsSelect().Operand()
	return operand.Kind() == ast.IdentKind && strings.TrimPrefix(operand.AsIdent(), ".") == nameToken
}

func (p *program) addClaim(name string) {
	if !slices.Contains(p.claims, name) {
		p.claims = append(p.claims, name)
	}
}

func (r *restriction) ident(e ast.Expr) {
	switch name := strings.TrimPrefix(e.AsIdent(), "."); name {
	case nameRequest:
		r.program.needsMessage = true
	case nameToken, nameRPC:
		if !r.operands[e.ID()] {
			r.fault(e, name+" is no value; read one of its fields")
		}
	}
}

func (r *restriction) call(e ast.Expr) {
	call := e.AsCall()
	arguments := call.Args()
	switch name := call.FunctionName(); {
	case name == operators.Index && isClaims(arguments[0]):
		if claim, ok := literal(arguments[1]); ok {
			r.program.addClaim(claim)
		}
	case name == overloads.Matches:
		r.matches(arguments[len(arguments)-1])
	case name == operators.Equals, name == operators.NotEquals, name == operators.In:
		if slices.ContainsFunc(arguments, r.isMessage) {
			r.fault(e, "a message is not compared as a whole; compare its fields, or use has()")
		}
	case call.IsMemberFunction() && slices.Contains(zoned, name) && len(arguments) == 1:
		r.zone(name, arguments[0])
	}
}

// matches refuses a pattern that comes from the call: the caller would write it.
func (r *restriction) matches(pattern ast.Expr) {
	text, ok := literal(pattern)
	if !ok {
		r.fault(pattern, "the pattern of matches has to be a literal")
		return
	}
	if err := checkPattern(text); err != nil {
		r.fault(pattern, err.Error())
	}
}

// zoned are the functions that take a time zone. Its name leads to a file.
var zoned = []string{
	overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDayOfMonth,
	overloads.TimeGetDate, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
	overloads.TimeGetSeconds, overloads.TimeGetMilliseconds,
}

func (r *restriction) zone(function string, zone ast.Expr) {
	text, ok := literal(zone)
	if !ok {
		r.fault(zone, "the time zone has to be a literal")
		return
	}
	if types.IsError(types.Timestamp{Time: time.Unix(0, 0)}.Receive(function, "", []ref.Val{types.String(text)})) {
		r.fault(zone, "there is no such time zone")
	}
}

// comprehension has the program watched. Also a loop through a list that stands in the
// text may read a long text of the call each time.
func (r *restriction) comprehension(e ast.Expr) {
	comprehension := e.AsComprehension()
	for _, name := range []string{comprehension.IterVar(), comprehension.IterVar2()} {
		if name == nameToken || name == nameRPC || name == nameRequest || name == nameNow {
			r.fault(e, name+" is the name of a variable already")
		}
	}
	r.program.watched = true
}

// holdsAny reports whether a type is that of an Any, or has elements of it.
func holdsAny(kind *types.Type) bool {
	return kind.Kind() == types.AnyKind || slices.ContainsFunc(kind.Parameters(), holdsAny)
}

// isMessage reports whether a part is a message, or a list or map of messages.
func (r *restriction) isMessage(e ast.Expr) bool {
	kind := r.checked.GetType(e.ID())
	if kind.Kind() == types.ListKind || kind.Kind() == types.MapKind {
		kind = kind.Parameters()[len(kind.Parameters())-1]
	}
	return kind.Kind() == types.StructKind
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}
