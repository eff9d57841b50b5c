package cel

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// A comparison is a step of a program that compares values: ==, !=, in, and the functions
// of sets. It is in place of that of CEL.
type comparison struct {
	call        interpreter.InterpretableCall
	left, right interpreter.InterpretableV2
	limit       uint64
	// words are the elements of a list of texts that stands in the condition, or nil.
	words map[types.String]struct{}
}

// newComparison returns what replaces a call, or nil if the call is no comparison.
func newComparison(call interpreter.InterpretableCall, limit uint64) *comparison {
	switch call.Function() {
	case operators.Equals, operators.NotEquals, operators.In, containsName, intersectsName, equivalentName:
		c := &comparison{call: call, left: call.Args()[0], right: call.Args()[1], limit: limit}
		if call.Function() == operators.In {
			c.words = wordsOf(c.right)
		}
		return c
	default:
		return nil
	}
}

// wordsOf returns the elements of a constant list of texts, or nil.
func wordsOf(step interpreter.InterpretableV2) map[types.String]struct{} {
	constant, _ := step.(interpreter.InterpretableConst)
	if constant == nil {
		return nil
	}
	list, ok := constant.Value().(traits.Lister)
	if !ok {
		return nil
	}
	words := make(map[types.String]struct{})
	for it := list.Iterator(); it.HasNext() == types.True; {
		word, ok := it.Next().(types.String)
		if !ok {
			return nil
		}
		words[word] = struct{}{}
	}
	return words
}

// ID implements interpreter.Interpretable.
func (c *comparison) ID() int64 { return c.call.ID() }

// Exec implements interpreter.InterpretableV2.
func (c *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	left := c.left.Exec(frame)
	if types.IsUnknownOrError(left) {
		return types.LabelErrNode(c.call.ID(), left)
	}
	right := c.right.Exec(frame)
	if types.IsUnknownOrError(right) {
		return types.LabelErrNode(c.call.ID(), right)
	}
	b := newBill(frame, c.limit)
	b.charge(1)
	result := c.compare(&b, left, right)
	b.pay(c.call.ID())
	return types.LabelErrNode(c.call.ID(), result)
}

func (c *comparison) compare(b *bill, left, right ref.Val) ref.Val {
	switch c.call.Function() {
	case operators.Equals:
		return b.equal(left, right)
	case operators.NotEquals:
		result := b.equal(left, right)
		if equal, ok := result.(types.Bool); ok {
			return !equal
		}
		return result
	case operators.In:
		if word, ok := left.(types.String); ok && c.words != nil {
			_, found := c.words[word]
			b.charge(textUnits(word))
			return types.Bool(found)
		}
		return b.in(left, right)
	}
	first, ok := left.(traits.Lister)
	second, both := right.(traits.Lister)
	if !ok || !both {
		return types.NewErr("no such overload")
	}
	switch c.call.Function() {
	case containsName:
		return b.contains(first, second)
	case intersectsName:
		return b.intersects(first, second)
	default:
		return and(b.contains(first, second), b.contains(second, first))
	}
}

// Eval implements interpreter.Interpretable.
func (c *comparison) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, c.Exec)
}
