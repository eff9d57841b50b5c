package policy

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// offlineAccess asks for a refresh token, which a resource does not require. It
// belongs in no challenge and in no metadata document (MCP authorization).
const offlineAccess = "offline_access"

// Compile checks a policy and returns its [Table]. The error joins a
// [*fault.Fault] for each fault, in a stable order.
//
// Compile checks names against the protobuf descriptors that are linked into the
// program (protoregistry.GlobalFiles), so that a rule for a service or method
// that does not exist is an error.
func Compile(p Policy) (*Table, error) {
	c := compiler{
		faults:    fault.List{Within: "policy: "},
		hierarchy: newHierarchy(p.Implies),
		table: &Table{
			methods:   newIndex(),
			services:  newIndex(),
			open:      newIndex(),
			described: make(map[string]bool),
		},
	}
	c.checkImplies(p.Implies)
	for _, name := range sortedKeys(p.Services) {
		c.service(name, p.Services[name])
	}
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return c.table, nil
}

type compiler struct {
	hierarchy hierarchy
	table     *Table
	faults    fault.List
}

func (c *compiler) checkImplies(implies map[string][]string) {
	for _, scope := range sortedKeys(implies) {
		where := fmt.Sprintf("Implies[%q]", scope)
		c.checkScopes(where, append([]string{scope}, implies[scope]...))
		if len(implies[scope]) == 0 {
			c.faults.Add(where, "", "implies nothing", "remove it")
		}
	}
	for _, cycle := range c.hierarchy.cycles() {
		c.faults.Add("Implies", cycle, "is a cycle of scopes that imply each other", "")
	}
}

func (c *compiler) service(name string, service Service) {
	where := fmt.Sprintf("Services[%q]", name)
	if !rpc.ValidService(name) {
		c.faults.Add(where, name, "is not a protobuf service name such as inventory.v1.InventoryService", "")
		return
	}
	if service.Rule.IsZero() && len(service.Methods) == 0 {
		c.faults.Add(where, "", "has neither a rule nor methods", "remove it to deny every call")
	}
	descriptor := c.describe(where, name, service.NoDescriptor)
	c.table.described[name] = descriptor != nil
	c.spread(name, c.rule(where+".Rule", name, service.Rule), descriptor)
	for _, method := range sortedKeys(service.Methods) {
		c.method(where, name, method, service.Methods[method], descriptor)
	}
}

// spread enters the rule of a service, nil for the zero Rule, for each of its
// methods, so that the lookup of a method takes one step without parsing, and a
// misspelled method has no rule. Without a descriptor, the rule applies to every
// well-formed method.
func (c *compiler) spread(service string, requirement *Requirement, descriptor protoreflect.ServiceDescriptor) {
	c.table.services[service] = requirement
	if descriptor == nil {
		c.table.open[service] = requirement
		return
	}
	for i := range descriptor.Methods().Len() {
		method := descriptor.Methods().Get(i).Name()
		c.table.methods["/"+service+"/"+string(method)] = requirement
	}
}

func (c *compiler) method(where, service, method string, rule Rule, descriptor protoreflect.ServiceDescriptor) {
	where = fmt.Sprintf("%s.Methods[%q]", where, method)
	switch {
	case !rpc.ValidMethod(method):
		c.faults.Add(where, method, "is not the plain name of a method such as ListItems", "")
	case descriptor != nil && descriptor.Methods().ByName(protoreflect.Name(method)) == nil:
		c.faults.Add(where, method, "is not a method of service "+service, "")
	}
	c.table.methods["/"+service+"/"+method] = c.rule(where, service, rule)
}

// describe returns the descriptor of a service, or nil.
func (c *compiler) describe(where, name string, noDescriptor bool) protoreflect.ServiceDescriptor {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		if !noDescriptor {
			c.faults.Add(where, name, "is not the name of a service whose descriptor is linked into this program",
				"import its generated package, or set NoDescriptor if the program has none, as of a plain HTTP handler, "+
					"a service that is served elsewhere, or the handlers of connectrpc.com/grpchealth and connectrpc.com/grpcreflect")
		}
		return nil
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		c.faults.Add(where, name, fmt.Sprintf("is a protobuf %T, not a service", found), "")
		return nil
	}
	return service
}

// rule compiles a rule. It returns nil for the zero Rule.
func (c *compiler) rule(where, service string, rule Rule) *Requirement {
	if rule.IsZero() {
		return nil
	}
	if rule.Public && rule.needsToken() {
		c.faults.Add(where, "", "is public and requires a token", "remove Public, or everything else")
	}
	if rule.Authenticated && rule.hasScopes() {
		c.faults.Add(where, "", "sets both Authenticated and scopes", "remove Authenticated: scopes require a token, too")
	}
	if rule.Proof > ProofRefused {
		c.faults.Add(where+".Proof", rule.Proof.String(), "is not a value of Proof", "")
	}
	c.checkScopes(where+".Scopes", rule.Scopes)
	c.checkScopes(where+".AnyScopes", rule.AnyScopes)
	requirement := &Requirement{
		service: service, public: rule.Public, proof: rule.Proof, scopes: slices.Concat(rule.Scopes, rule.AnyScopes),
		identity: c.identity(where, rule), authentication: c.authentication(where, rule),
	}
	c.table.requirements = append(c.table.requirements, requirement)
	for _, scope := range rule.Scopes {
		requirement.all = append(requirement.all, c.hierarchy.satisfying(scope))
		requirement.ask = append(requirement.ask, scope)
	}
	if len(rule.AnyScopes) > 0 {
		var sufficient []string
		for _, scope := range rule.AnyScopes {
			sufficient = append(sufficient, c.hierarchy.satisfying(scope)...)
		}
		requirement.all = append(requirement.all, sufficient)
		if first := rule.AnyScopes[0]; !slices.Contains(requirement.ask, first) {
			requirement.ask = append(requirement.ask, first)
		}
	}
	requirement.lacksScope = &ShortfallError{Reason: challenge.ReasonInsufficientScope, Scopes: requirement.ask}
	acrValues, maxAge := requirement.ChallengeAuthentication()
	requirement.lacksAuthentication = &ShortfallError{
		Reason: challenge.ReasonInsufficientAuthentication, Scopes: requirement.ask, ACRValues: acrValues, MaxAge: maxAge,
	}
	return requirement
}

func (c *compiler) checkScopes(where string, scopes []string) {
	for i, scope := range scopes {
		switch {
		case scope == "":
			c.faults.Add(where, "", "contains an empty scope", "")
		case !wwwauth.ValidScopeToken(scope):
			c.faults.Add(where, scope, "is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash", "")
		case scope == offlineAccess:
			c.faults.Add(where, scope, "asks for a refresh token and is not a scope of a resource", "")
		case slices.Contains(scopes[:i], scope):
			c.faults.Add(where, scope, "is listed twice", "")
		}
	}
}
