package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// ClaimCondition is a condition on a claim of the token, such as
//
//	{Path: []string{"realm_access", "roles"}, AnyOf: []string{"admin"}}
//
// The verifier has to keep the claim in [token.Info.Claims].
type ClaimCondition struct {
	// Path is the name of a claim, followed by the names of the members inside of it.
	// Required.
	Path []string
	// AnyOf are the values of which the claim has to be one, byte for byte, or, if
	// the claim is an array, of which one has to be among its elements. A value stands
	// for the string, for the boolean, and for the integer that JSON writes like it,
	// as far as its absolute value is below 2⁵³. A token without the claim does not
	// meet the condition. Required.
	AnyOf []string
}

// maxExact is the bound below which a float64, which is what encoding/json makes of
// a number, is the integer that was written.
const maxExact = 1 << 53

// A claimCondition is a compiled ClaimCondition.
type claimCondition struct {
	path   []string
	values []string
	text   string // for the log

	// Those of values that are also a number or a boolean.
	numbers         []float64
	onTrue, onFalse bool
}

// claims compiles the conditions of a rule.
func (c *compiler) claims(where string, rule Rule) []claimCondition {
	var compiled []claimCondition
	for i, condition := range rule.Claims {
		place := fmt.Sprintf("%s.Claims[%d]", where, i)
		if len(condition.Path) == 0 {
			c.fault(place+".Path", "", "is required", "name a claim")
		} else if slices.Contains(condition.Path, "") {
			c.fault(place+".Path", "", "contains an empty name", "")
		}
		if len(condition.AnyOf) == 0 {
			c.fault(place+".AnyOf", "", "is empty, so that no token would meet it", "")
		}
		for j, value := range condition.AnyOf {
			if slices.Contains(condition.AnyOf[:j], value) {
				c.fault(place+".AnyOf", value, "is listed twice", "")
			}
		}
		compiled = append(compiled, newClaimCondition(condition))
	}
	return compiled
}

func newClaimCondition(condition ClaimCondition) claimCondition {
	compiled := claimCondition{path: slices.Clone(condition.Path), values: slices.Clone(condition.AnyOf), text: condition.text()}
	for _, value := range compiled.values {
		number, err := strconv.ParseInt(value, 10, 64)
		switch {
		case value == "true":
			compiled.onTrue = true
		case value == "false":
			compiled.onFalse = true
		case err == nil && isExact(float64(number)) && strconv.FormatInt(number, 10) == value:
			compiled.numbers = append(compiled.numbers, float64(number))
		}
	}
	return compiled
}

func isExact(number float64) bool { return -maxExact < number && number < maxExact }

// text is the condition as the log and a table show it: "realm_access.roles: admin".
func (condition ClaimCondition) text() string {
	return strings.Join(condition.Path, ".") + ": " + strings.Join(condition.AnyOf, "|")
}

// check returns nil, or what the log says.
func (condition *claimCondition) check(info *token.Info) error {
	if condition.satisfiedBy(info) {
		return nil
	}
	return fmt.Errorf("the token does not meet the condition on the claim %.512q", condition.text)
}

func (condition *claimCondition) satisfiedBy(info *token.Info) bool {
	value, ok := info.Claims[condition.path[0]]
	for _, name := range condition.path[1:] {
		object, isObject := value.(map[string]any)
		if !isObject {
			return false
		}
		value, ok = object[name]
	}
	if !ok {
		return false
	}
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, condition.has)
	case []string:
		return slices.ContainsFunc(value, func(element string) bool { return slices.Contains(condition.values, element) })
	default:
		return condition.has(value)
	}
}

// has reports whether a value that is no array is one of those of the condition.
func (condition *claimCondition) has(value any) bool {
	switch value := value.(type) {
	case string:
		return slices.Contains(condition.values, value)
	case bool:
		return value && condition.onTrue || !value && condition.onFalse
	case float64:
		return isExact(value) && slices.Contains(condition.numbers, value)
	case json.Number:
		return slices.Contains(condition.values, value.String())
	default:
		return false
	}
}

// Claims returns the claims that r depends on, as far as it says.
func (r *Requirement) Claims() []string {
	var claims []string
	for i := range r.claims {
		claims = append(claims, r.claims[i].path[0])
	}
	for _, condition := range r.conditions {
		if reader, ok := condition.(ClaimReader); ok {
			claims = append(claims, reader.Claims()...)
		}
	}
	slices.Sort(claims)
	return slices.Compact(claims)
}
