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
// states. The sourceOf function returns the [Rule.Source] of the rule of a service, if
// method is empty, or of a method. Nil means that no rule has one.
//
// A field that this version of the module does not know would be a requirement that
// nobody checks. [Compile] returns it as a fault.
func FromProto(message *drawbridgev1.Policy, sourceOf func(service, method string) string) Policy {
	if sourceOf == nil {
		sourceOf = func(string, string) string { return "" }
	}
	p := Policy{Services: make(map[string]Service, len(message.GetServices()))}
	p.refuseUnknown(message.ProtoReflect(), "", "a policy")
	p.addImplications(message.GetImplies())
	for name, service := range message.GetServices() {
		converted := Service{NoDescriptor: service.GetNoDescriptor(), Methods: make(map[string]Rule, len(service.GetMethods()))}
		if service.GetRule() != nil {
			converted.Rule = fromProto(service.GetRule(), sourceOf(name, ""))
		}
		for method, rule := range service.GetMethods() {
			converted.Methods[method] = fromProto(rule, sourceOf(name, method))
		}
		p.Services[name] = converted
	}
	for identifier, reach := range message.GetResources() {
		if p.Resources == nil {
			p.Resources = make(map[string][]string)
		}
		p.Resources[identifier] = reach.GetServices()
	}
	return p
}

func (p *Policy) addImplications(implications []*drawbridgev1.Implication) {
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

func fromProto(message *drawbridgev1.Rule, source string) Rule {
	rule := Rule{
		Source:        source,
		Public:        message.GetPublic(),
		Denied:        message.GetDenied(),
		Reason:        message.GetReason(),
		Authenticated: message.GetAuthenticated(),
		Scopes:        message.GetScopes(),
		AnyScopes:     message.GetAnyScopes(),
		Party:         token.Party(message.GetParty()),
		NoActor:       message.GetNoActor(),
		ACRValues:     message.GetAcrValues(),
		Condition:     message.GetCondition(),
		MaxAge:        message.GetMaxAge().AsDuration(),
		Proof:         Proof(message.GetProof()),
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
func (p *Policy) refuseUnknown(message protoreflect.Message, source, what string) {
	if unknown := findUnknown(message); unknown != nil {
		p.faults = append(p.faults, &fault.Fault{
			Source: source, Place: "policy: " + what, Reason: unknown.Error(),
			Remedy: "update this module to the version of drawbridge/v1/policy.proto that the policy was written for",
		})
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
