package finding

import (
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

// A Rule is a kind of finding. Its ID does not change between versions.
type Rule struct {
	// ID is for programs, such as "drawbridge/scope".
	ID string
	// Title says what findings of the rule are about.
	Title string
	// Help says why that matters, and what to do.
	Help string
}

// The rules.
var (
	ProtoFile = Rule{
		"drawbridge/proto-file", "A protobuf file does not compile",
		"Rules in the options of a file that does not compile are not read. Files that it imports are looked for below --proto and -I.",
	}
	PolicyFile = Rule{
		"drawbridge/policy-file", "A policy file cannot be read",
		"A server does not start with such a file, and keeps its last good policy if it is running.",
	}
	UnknownName = Rule{
		"drawbridge/unknown-name", "A service or method does not exist",
		"The rule would never apply, and what it was meant for is denied. Correct the name, or set no_descriptor for a service that has no descriptor.",
	}
	UnknownField = Rule{
		"drawbridge/unknown-field", "An option has a field that this version does not know",
		"It would be a requirement that is never checked. Use a newer version of drawbridge, on the server, too.",
	}
	NoRule = Rule{
		"drawbridge/no-rule", "A method has no rule",
		"Every call of it is denied. Give it or its service a rule, or set denied if that is meant.",
	}
	Weaker = Rule{
		"drawbridge/weaker", "A rule asks for less than the one that it replaces",
		"A policy file replaces the rules in options. Make sure that fewer requirements are meant.",
	}
	Contradiction = Rule{
		"drawbridge/contradiction", "A rule contradicts itself",
		"Public and denied each stand alone.",
	}
	Scope = Rule{
		"drawbridge/scope", "A scope is not usable",
		"Scopes are visible ASCII without space, quote and backslash (RFC 6749 §3.3), and each is listed once.",
	}
	Implication = Rule{
		"drawbridge/implication", "An implication of scopes is not usable",
		"Implications name scopes, imply something, and have no cycle.",
	}
	Resource = Rule{
		"drawbridge/resource", "The services of a resource are wrong",
		"Each has to be a service of the policy.",
	}
	Claim = Rule{
		"drawbridge/claim", "A condition on a claim is not usable",
		"It needs the path of a claim, and values of which the claim has to be one.",
	}
	Identity = Rule{
		"drawbridge/identity", "What a rule says about the parties of a token is not usable",
		"A party is a user or a client, and an actor needs a subject or a client.",
	}
	Authentication = Rule{
		"drawbridge/authentication", "What a rule says about the authentication of the user is not usable",
		"See RFC 9470 §3: acr_values, and max_age in whole seconds.",
	}
	Proof = Rule{
		"drawbridge/proof", "What a rule says about proofs is not usable",
		"A proof is required, refused, or left to the resource.",
	}
	Condition = Rule{
		"drawbridge/condition", "A condition is not usable",
		"A condition is an expression whose result is true or false.",
	}
	Question = Rule{
		"drawbridge/question", "A question is not usable",
		"A question needs a resource with a type and an ID, and its answers are kept for at most one minute.",
	}
	Unchecked = Rule{
		"drawbridge/unchecked", "A part of the policy was not checked",
		"This program had nothing to check it with. The server checks it when it starts.",
	}
)

// Rules returns all rules, in a stable order.
func Rules() []Rule {
	return []Rule{
		ProtoFile, PolicyFile, UnknownName, UnknownField, NoRule, Weaker, Contradiction, Scope, Implication, Resource,
		Claim, Identity, Authentication, Proof, Condition, Question, Unchecked,
	}
}

// byField are the rules of faults, by the field at which the place of a fault ends.
var byField = map[string]Rule{
	"Scopes": Scope, "AnyScopes": Scope, "AnyScopeSets": Scope, "Claims": Claim, "Party": Identity, "Actors": Identity,
	"ACRValues": Authentication, "MaxAge": Authentication, "Proof": Proof, "Condition": Condition, "Question": Question,
}

// ruleOf returns the rule of a fault of policy.Compile.
func ruleOf(f *fault.Fault) Rule {
	place, isPolicy := strings.CutPrefix(f.Place, "policy: ")
	switch {
	case f.Place == "":
		return ProtoFile
	case !isPolicy:
		return PolicyFile
	case strings.HasPrefix(place, "Implies"):
		return Implication
	case strings.HasPrefix(place, "Resources"):
		return Resource
	}
	parts := inServices.FindStringSubmatch(f.Place)
	if parts == nil {
		return UnknownField
	}
	for _, field := range strings.FieldsFunc(parts[3], func(r rune) bool { return strings.ContainsRune(".[]0123456789", r) }) {
		if rule, ok := byField[field]; ok {
			return rule
		}
	}
	switch {
	case strings.HasPrefix(f.Reason, "has no rule"), strings.HasPrefix(f.Reason, "has neither a rule"):
		return NoRule
	case strings.Contains(f.Reason, "authentication of a user"):
		return Authentication
	case strings.Contains(f.Reason, "NoActor"):
		return Identity
	case parts[3] == "" && f.Value != "":
		return UnknownName
	default:
		return Contradiction
	}
}
