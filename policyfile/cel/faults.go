package cel

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/drawbridge-rpc/drawbridge/policyfile/internal/spelling"
)

// maxFaults is the number of faults of one text that are reported.
const maxFaults = 5

// A located is something that is wrong at a place of a text. A nil location is the whole.
type located struct {
	location common.Location
	reason   string
}

// faultsOf returns an error that completes a sentence about a text, with line and column
// of each fault, both counted from one.
func faultsOf(what string, faults []located) error {
	slices.SortStableFunc(faults, func(a, b located) int {
		if a.location == nil || b.location == nil {
			return 0
		}
		return cmp.Or(cmp.Compare(a.location.Line(), b.location.Line()), cmp.Compare(a.location.Column(), b.location.Column()))
	})
	var texts []string
	for _, fault := range faults {
		text := fault.reason
		if fault.location != nil && fault.location.Line() > 0 {
			text = fmt.Sprintf("%d:%d: %s", fault.location.Line(), fault.location.Column()+1, text)
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if more := len(texts) - maxFaults; more > 0 {
		texts = append(texts[:maxFaults], fmt.Sprintf("and %d more", more))
	}
	return errors.New(what + ": " + strings.Join(texts, "; "))
}

func syntaxFault(failed []*common.Error) error {
	var faults []located
	for _, e := range failed {
		faults = append(faults, located{e.Location, strings.TrimPrefix(e.Message, "Syntax error: ")})
	}
	return faultsOf("is no condition", faults)
}

func resultFault(kind *types.Type) error {
	reason := "is no condition: it is of type " + kind.String() + ", not bool"
	if kind.Kind() == types.DynKind {
		reason = "is no condition: the type of its result is not known; compare it, such as with == true"
	}
	return errors.New(reason)
}

// checkFault says what the checker found.
func (l *language) checkFault(checked *ast.AST, scope *scope, text string, failed []*common.Error) error {
	parts := make(map[int64]ast.Expr)
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) { parts[e.ID()] = e }))
	var faults []located
	for _, e := range failed {
		fault := located{e.Location, e.Message}
		switch quoted := quotedIn(e.Message); {
		case strings.HasPrefix(e.Message, "undefined field "):
			fault = undefinedField(checked, scope, text, parts[e.ExprID], fault)
		case strings.HasPrefix(e.Message, "undeclared reference to "):
			fault.reason = l.undeclared(quoted, scope)
		case strings.HasPrefix(e.Message, "found no matching overload for "):
			fault.reason = noOverload(quoted, e.Message)
		}
		faults = append(faults, fault)
	}
	return faultsOf("is no condition", faults)
}

// quotedIn returns the first name in a message of the checker.
func quotedIn(message string) string {
	_, rest, _ := strings.Cut(message, "'")
	name, _, _ := strings.Cut(rest, "'")
	return name
}

func undefinedField(checked *ast.AST, scope *scope, text string, part ast.Expr, fault located) located {
	if part == nil || part.Kind() != ast.SelectKind {
		return fault
	}
	name := part.AsSelect().FieldName()
	of := checked.GetType(part.AsSelect().Operand().ID()).TypeName()
	names, _ := scope.FindStructFieldNames(of)
	fault.reason = fmt.Sprintf("%s has no field %q%s", of, name, suggestion(name, names))
	fault.location = fieldLocation(text, fault.location, name)
	return fault
}

// fieldLocation is where a field is named, at or after the location of its selection,
// which is that of a dot or of has().
func fieldLocation(text string, selection common.Location, field string) common.Location {
	lines := strings.Split(text, "\n")
	if selection.Line() < 1 || selection.Line() > len(lines) {
		return selection
	}
	line := []rune(lines[selection.Line()-1])
	name := []rune(field)
	for column := selection.Column() + 1; column+len(name) <= len(line); column++ {
		if slices.Equal(line[column:column+len(name)], name) && strings.HasSuffix(strings.TrimRight(string(line[:column]), " \t"), ".") {
			return common.NewLocation(selection.Line(), column)
		}
	}
	return selection
}

// undeclared says that there is no such variable or function.
func (l *language) undeclared(name string, scope *scope) string {
	if name == nameRequest {
		return "request is known to the rule of a unary method alone, whose message is decoded before it is judged"
	}
	names := l.names
	if scope.request == nil {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == nameRequest })
	}
	return fmt.Sprintf("there is no %q%s", name, suggestion(name, names))
}

// noOverload says which types a function or operator does not take.
func noOverload(function, message string) string {
	_, arguments, _ := strings.Cut(message, "applied to '")
	arguments = strings.TrimSuffix(arguments, "'")
	name := function
	if operator, ok := operators.FindReverse(function); ok && operator != "" {
		name = operator
	}
	reason := fmt.Sprintf("%s does not take %s", name, arguments)
	if strings.Contains(arguments, "uint") && strings.Contains(strings.ReplaceAll(arguments, "uint", ""), "int") {
		reason += "; a number without a sign is written like 10u"
	}
	return reason
}

// suggestion names what is nearest to a name, or is empty if nothing is near.
func suggestion(name string, names []string) string {
	nearest, least := "", len(name)/2+1
	for _, candidate := range names {
		if d := spelling.Distance(name, candidate); d < least || d == least && nearest != "" && candidate < nearest {
			nearest, least = candidate, d
		}
	}
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", nearest)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
