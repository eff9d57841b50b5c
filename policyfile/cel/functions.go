package cel

import (
	"strings"

	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The functions beside those of the standard, which are named like those of the
// extensions of cel-go. What could make much of little, such as replace, is left out.
const (
	lowerID      = "string_lower_ascii"
	upperID      = "string_upper_ascii"
	containsID   = "list_sets_contains_list"
	intersectsID = "list_sets_intersects_list"
	equivalentID = "list_sets_equivalent_list"

	containsName   = "sets.contains"
	intersectsName = "sets.intersects"
	equivalentName = "sets.equivalent"
)

// costModel says what they cost, for the estimate; see meter for the rest.
var costModel = cost.Model(
	cost.MemberOverload(lowerID, cost.EvalCost(cost.StringScan(cost.Target())), cost.ResultSize(cost.Target())),
	cost.MemberOverload(upperID, cost.EvalCost(cost.StringScan(cost.Target())), cost.ResultSize(cost.Target())),
	setsCost(containsID), setsCost(intersectsID), setsCost(equivalentID),
)

func setsCost(id string) cost.OverloadModel {
	pairs := cost.Mul(cost.Length(cost.Arg(0)), cost.Length(cost.Arg(1)))
	return cost.Overload(id, cost.EvalCost(cost.Sum(cost.Const(cost.CallCost), pairs)))
}

func ownFunctions() []*decls.FunctionDecl {
	return []*decls.FunctionDecl{
		onText("lowerAscii", lowerID, func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}),
		onText("upperAscii", upperID, func(r rune) rune {
			if 'a' <= r && r <= 'z' {
				return r - 'a' + 'A'
			}
			return r
		}),
		onSets(containsName, containsID), onSets(intersectsName, intersectsID), onSets(equivalentName, equivalentID),
	}
}

func onText(name, id string, mapping func(rune) rune) *decls.FunctionDecl {
	return declared(name, decls.MemberOverload(id, []*types.Type{types.StringType}, types.StringType,
		decls.UnaryBinding(func(value ref.Val) ref.Val {
			// CEL calls it with texts alone.
			return types.String(strings.Map(mapping, string(value.(types.String)))) //nolint:forcetypeassert // See above.
		})))
}

// onSets returns a function without what it does, which is a [comparison].
func onSets(name, id string) *decls.FunctionDecl {
	list := types.NewListType(types.NewTypeParamType("T"))
	return declared(name, decls.Overload(id, []*types.Type{list, list}, types.BoolType))
}

// declared panics on a mistake in the declarations above, which every test would find.
func declared(name string, overload decls.FunctionOpt) *decls.FunctionDecl {
	function, err := decls.NewFunction(name, overload)
	if err != nil {
		panic(err)
	}
	return function
}
