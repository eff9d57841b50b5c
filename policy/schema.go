package policy

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/drawbridge-rpc/drawbridge/fault"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// FromProto returns the policy that a message of its schema, drawbridge/v1/policy.proto,
// states. The sourceOf function returns the Source of a service and its rule, if method
// is empty, or of the rule of a method. Nil means that none has one.
//
// A rule that is present and says nothing denies. A field or a value that this version of
// the module does not know would be a requirement that nobody checks, and [Compile] returns
// it as a fault.
func FromProto(message *drawbridgev1.Policy, sourceOf func(service, method string) string) Policy {
	if sourceOf == nil {
		sourceOf = func(string, string) string { return "" }
	}
	p := reader{Policy{Services: make(map[string]Service, len(message.GetServices()))}}
	p.refuseUnknown(message.ProtoReflect(), "", "a policy")
	p.addImplications(message.GetImplies())
	for name, service := range message.GetServices() {
		converted := Service{
			NoDescriptor: service.GetNoDescriptor(), Source: sourceOf(name, ""),
			Methods: make(map[string]Rule, len(service.GetMethods())),
		}
		if service.GetRule() != nil {
			converted.Rule = p.rule(service.GetRule(), sourceOf(name, ""), name)
		}
		for method, rule := range service.GetMethods() {
			converted.Methods[method] = p.rule(rule, sourceOf(name, method), name+"."+method)
		}
		p.Services[name] = converted
	}
	for identifier, reach := range message.GetResources() {
		if p.Resources == nil {
			p.Resources = make(map[string][]string)
		}
		p.Resources[identifier] = reach.GetServices()
	}
	return p.Policy
}

// A reader makes a Policy of messages, and collects what is wrong with them.
type reader struct{ Policy }

func (p *reader) addImplications(implications []*drawbridgev1.Implication) {
	for _, implication := range implications {
		if p.Implies == nil {
			p.Implies = make(map[string][]string)
		}
		implied := p.Implies[implication.GetScope()]
		for _, scope := range implication.GetImplies() {
			if !slices.Contains(implied, scope) { // Several services may say the same.
				implied = append(implied, scope)
			}
		}
		p.Implies[implication.GetScope()] = implied
	}
}

// rule converts a rule that is present.
func (p *reader) rule(message *drawbridgev1.Rule, source, of string) Rule {
	// Enums are open, and a value that does not fit would become another one.
	if _, known := drawbridgev1.Party_name[int32(message.GetParty())]; !known {
		p.fault(source, of, "party is no value of Party", "")
	}
	if _, known := drawbridgev1.Proof_name[int32(message.GetProof())]; !known {
		p.fault(source, of, "proof is no value of Proof", "")
	}
	if message.GetMaxAge() != nil && message.GetMaxAge().AsDuration() == 0 {
		p.fault(source, of, "max_age is 0, and would ask for nothing", "remove it, or set at least 1s")
	}
	rule := convert(message, source)
	rule.Denied = rule.Denied || rule.IsZero()
	return rule
}

func (p *reader) fault(source, what, reason, remedy string) {
	p.faults = append(p.faults, &fault.Fault{Source: source, Place: "policy: " + what, Reason: reason, Remedy: remedy})
}

func convert(message *drawbridgev1.Rule, source string) Rule {
	rule := Rule{
		Source:        source,
		Public:        message.GetPublic(),
		Denied:        message.GetDenied(),
		Reason:        message.GetReason(),
		Authenticated: message.GetAuthenticated(),
		Scopes:        message.GetScopes(),
		AnyScopes:     message.GetAnyScopes(),
		Party:         token.Party(message.GetParty()), //nolint:gosec // The value was checked.
		NoActor:       message.GetNoActor(),
		ACRValues:     message.GetAcrValues(),
		Condition:     message.GetCondition(),
		MaxAge:        message.GetMaxAge().AsDuration(),
		Proof:         Proof(message.GetProof()), //nolint:gosec // The value was checked.
	}
	if question := message.GetQuestion(); question != nil {
		rule.Question = &Question{
			Subject: entityOf(question.GetSubject()), Action: question.GetAction(), Resource: entityOf(question.GetResource()),
			Context: question.GetContext(), CacheFor: question.GetCacheFor().AsDuration(),
		}
	}
	for _, set := range message.GetAnyScopeSets() {
		rule.AnyScopeSets = append(rule.AnyScopeSets, set.GetScopes())
	}
	for _, condition := range message.GetClaims() {
		rule.Claims = append(rule.Claims, ClaimCondition{Path: condition.GetPath(), AnyOf: condition.GetAnyOf()})
	}
	for _, actor := range message.GetActors() {
		rule.Actors = append(rule.Actors, Actor{Issuer: actor.GetIssuer(), Subject: actor.GetSubject(), ClientID: actor.GetClientId()})
	}
	return rule
}

func entityOf(message *drawbridgev1.Entity) Entity {
	return Entity{Type: message.GetType(), ID: message.GetId(), Properties: message.GetProperties()}
}

// refuseUnknown adds a fault if a message has a field that this version does not know.
func (p *reader) refuseUnknown(message protoreflect.Message, source, what string) {
	if unknown := findUnknown(message); unknown != nil {
		p.fault(source, what, unknown.Error(), "update this module to the version of drawbridge/v1/policy.proto that the policy was written for")
	}
}

// findUnknown returns an error that names the type of the first message, in message or
// inside of it, with a field that this version does not know.
func findUnknown(message protoreflect.Message) (unknown error) {
	if len(message.GetUnknown()) > 0 {
		return fmt.Errorf("has a field of %s that this version does not know", message.Descriptor().FullName())
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
				unknown = errors.Join(unknown, findUnknown(value.Message()))
				return unknown == nil
			})
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				unknown = errors.Join(unknown, findUnknown(value.List().Get(i).Message()))
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			unknown = findUnknown(value.Message())
		}
		return unknown == nil
	})
	return unknown
}
