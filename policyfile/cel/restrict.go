package cel

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
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
	case ast.ListKind:
		r.forgets(e, e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.forgets(e, []ast.Expr{entry.AsMapEntry().Value()})
		}
	case ast.LiteralKind:
		if e.AsLiteral() == types.NullValue {
			r.fault(e, "nothing is equal to null; use has()")
		}
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
	r.forgets(e, arguments)
	switch name := call.FunctionName(); {
	case name == operators.Index && isClaims(arguments[0]):
		if claim, ok := literal(arguments[1]); ok {
			r.program.addClaim(claim)
		}
	case name == operators.Index:
		r.index(arguments[0], arguments[1])
	case name == overloads.Matches:
		r.matches(arguments[len(arguments)-1])
	case name == operators.Equals, name == operators.NotEquals, name == operators.In:
		r.compares(e, arguments)
	case name == containsName, name == intersectsName, name == equivalentName:
		r.compares(e, arguments)
		r.program.watched = true
	case call.IsMemberFunction() && slices.Contains(zoned, name) && len(arguments) == 1:
		r.zone(arguments[0])
	}
}

// index refuses a key that may be a double for a map of integers that is made in the text:
// CEL finds what the double is rounded from. A map of the message does not.
func (r *restriction) index(in, key ast.Expr) {
	kind, keyKind := r.checked.GetType(in.ID()), r.checked.GetType(key.ID()).Kind()
	if kind.Kind() != types.MapKind || in.Kind() == ast.SelectKind || keyKind != types.DynKind && keyKind != types.DoubleKind {
		return
	}
	switch kind.Parameters()[0].Kind() {
	case types.StringKind, types.BoolKind:
	default:
		r.fault(key, "the key may be a double; convert it, such as with int()")
	}
}

// matches refuses a pattern that comes from the call: the caller would write it.
func (r *restriction) matches(pattern ast.Expr) {
	text, ok := literal(pattern)
	if !ok {
		r.fault(pattern, "the pattern of matches has to be a literal")
		return
	}
	if _, err := checkPattern(text); err != nil {
		r.fault(pattern, err.Error())
	}
}

func (r *restriction) zone(zone ast.Expr) {
	text, ok := literal(zone)
	if !ok {
		r.fault(zone, "the time zone has to be a literal")
		return
	}
	if _, err := zoneOf(text); err != nil {
		r.fault(zone, err.Error())
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

// holdsMessage reports whether a type is that of a message, or has elements of it.
func holdsMessage(kind *types.Type) bool {
	return kind.Kind() == types.StructKind || slices.ContainsFunc(kind.Parameters(), holdsMessage) && kind.Kind() != types.TypeKind
}

// compares refuses messages among what is compared. Of a map, in compares the keys.
func (r *restriction) compares(e ast.Expr, arguments []ast.Expr) {
	for i, argument := range arguments {
		kind := r.checked.GetType(argument.ID())
		if e.AsCall().FunctionName() == operators.In && i == 1 && kind.Kind() == types.MapKind {
			continue
		}
		if holdsMessage(kind) {
			r.fault(e, "a message is not compared as a whole; compare its fields, or use has()")
			return
		}
	}
}

// forgets refuses a part whose type is not known though it may be a message: that it has a
// google.protobuf.Any, or is compared, would not be seen.
func (r *restriction) forgets(e ast.Expr, parts []ast.Expr) {
	if !isUnknown(r.checked.GetType(e.ID())) {
		return
	}
	for _, part := range parts {
		if holdsMessage(r.checked.GetType(part.ID())) {
			r.fault(e, "a message is read by its fields, and loses its type here")
			return
		}
	}
}

// isUnknown reports whether a type, or that of elements, is not known before.
func isUnknown(kind *types.Type) bool {
	return kind.Kind() == types.DynKind || slices.ContainsFunc(kind.Parameters(), isUnknown)
}

func literal(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}
