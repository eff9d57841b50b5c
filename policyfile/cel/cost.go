package cel

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
)

// assumedSize is the number of elements of lists, maps and texts of a call for which the
// cost of a condition is estimated.
const assumedSize = 32

// maxNesting is the number of lists inside of each other up to which the size of a claim
// is estimated.
const maxNesting = 3

// sizes estimates how large the values of a call are.
type sizes struct{}

// EstimateSize implements cost.Estimator. The size of what stands in the text itself is
// known without it.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	switch node.Type().Kind() {
	case types.ListKind, types.MapKind, types.StringKind, types.BytesKind, types.DynKind, types.TypeParamKind:
		if node.ComputedSize() != nil || isWritten(node.Expr()) || nesting(node.Path()) > maxNesting {
			return nil
		}
		size := cost.RangedSizeEstimate(0, assumedSize)
		return &size
	default:
		return nil
	}
}

// isWritten reports whether a value stands in the text.
func isWritten(e ast.Expr) bool {
	return e != nil && (e.Kind() == ast.ListKind || e.Kind() == ast.MapKind || e.Kind() == ast.LiteralKind)
}

// nesting counts the steps at the end of a path that lead into lists and maps.
func nesting(path []string) int {
	n := 0
	for _, name := range slices.Backward(path) {
		if !strings.HasPrefix(name, "@") {
			break
		}
		n++
	}
	return n
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate { //nolint:gocritic // The interface has it.
	return nil
}

// checkCost returns an error if a condition would cost too much.
func (l *language) checkCost(checked *ast.AST) error {
	estimate, err := cost.Cost(checked, sizes{}, costModel)
	if err != nil || estimate.Max > l.maxCost {
		return fmt.Errorf("it would cost more than %d if each list, map and text of the call had %d elements", l.maxCost, assumedSize)
	}
	return nil
}
