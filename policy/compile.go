package policy

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

// offlineAccess asks for a refresh token and is not the resource's to demand:
// it stands in no challenge and in no metadata document (MCP authorization).
const offlineAccess = "offline_access"

// Compile checks a policy and makes a [Table] of it. The error joins every
// fault as an [*Error], in a stable order.
//
// Names are checked against the protobuf descriptors that are linked into the
// program (protoregistry.GlobalFiles), so that a rule for a service or method
// which does not exist is found here and not in production.
func Compile(p Policy) (*Table, error) {
	c := compiler{
		hierarchy: newHierarchy(p.Implies),
		table: &Table{
			methods:  make(map[string]*Requirement),
			services: make(map[string]*Requirement),
			open:     make(map[string]*Requirement),
		},
	}
	c.checkImplies(p.Implies)
	for _, name := range sortedKeys(p.Services) {
		c.service(name, p.Services[name])
	}
	slices.Sort(c.table.scopes)
	c.table.scopes = slices.Compact(c.table.scopes)
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return c.table, nil
}

type compiler struct {
	hierarchy hierarchy
	table     *Table
	faults    []error
}

func (c *compiler) fault(where, format string, args ...any) {
	c.faults = append(c.faults, &Error{Where: where, Reason: fmt.Sprintf(format, args...)})
}

func (c *compiler) checkImplies(implies map[string][]string) {
	for _, scope := range sortedKeys(implies) {
		where := fmt.Sprintf("Implies[%q]", scope)
		c.checkScopes(where, append([]string{scope}, implies[scope]...))
		if len(implies[scope]) == 0 {
			c.fault(where, "implies nothing")
		}
	}
	for _, cycle := range c.hierarchy.cycles() {
		c.fault("Implies", "scopes imply each other in a circle: %s", cycle)
	}
}

func (c *compiler) service(name string, service Service) {
	where := fmt.Sprintf("Services[%q]", name)
	if !ValidService(name) {
		c.fault(where, "%q is not a protobuf service name such as inventory.v1.InventoryService", name)
		return
	}
	if service.Rule.IsZero() && len(service.Methods) == 0 {
		c.fault(where, "has neither a rule nor methods, and would deny everything; leave it out for that")
	}
	descriptor := c.describe(where, name, service.Undescribed)
	if requirement := c.rule(where+".Rule", name, service.Rule); requirement != nil {
		c.table.services[name] = requirement
		c.spread(name, requirement, descriptor)
	}
	for _, method := range sortedKeys(service.Methods) {
		c.method(where, name, method, service.Methods[method], descriptor)
	}
}

// spread gives every method that is known the rule of its service, so that the
// look-up of a method that exists needs one step and no parsing, and a misspelt
// one finds nothing.
func (c *compiler) spread(service string, requirement *Requirement, descriptor protoreflect.ServiceDescriptor) {
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
	case !isIdentifier(method):
		c.fault(where, "%q is not the plain name of a method such as ListItems", method)
	case descriptor != nil && descriptor.Methods().ByName(protoreflect.Name(method)) == nil:
		c.fault(where, "service %s has no method %q", service, method)
	}
	c.table.methods["/"+service+"/"+method] = c.rule(where, service, rule)
}

// describe returns the descriptor of a service, or nil if it has none.
func (c *compiler) describe(where, name string, undescribed bool) protoreflect.ServiceDescriptor {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		if !undescribed {
			c.fault(where, "no service %q is linked into this program; a plain HTTP handler, or a service that is served elsewhere, sets Undescribed", name)
		}
		return nil
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		c.fault(where, "%q is a protobuf %T, not a service", name, found)
		return nil
	}
	return service
}

// rule compiles a rule; it returns nil for one that denies.
func (c *compiler) rule(where, service string, rule Rule) *Requirement {
	if rule.IsZero() {
		return nil
	}
	if rule.Public && (rule.Authenticated || rule.asksScopes()) {
		c.fault(where, "is public and asks for a token at once")
	}
	if rule.Authenticated && rule.asksScopes() {
		c.fault(where, "sets Authenticated beside scopes, which ask for a token already")
	}
	c.checkScopes(where+".Scopes", rule.Scopes)
	c.checkScopes(where+".AnyScopes", rule.AnyScopes)
	c.table.scopes = append(append(c.table.scopes, rule.Scopes...), rule.AnyScopes...)

	requirement := &Requirement{index: c.table.size, service: service, public: rule.Public}
	c.table.size++
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
	return requirement
}

func (c *compiler) checkScopes(where string, scopes []string) {
	for i, scope := range scopes {
		switch {
		case !wwwauth.ValidScopeToken(scope):
			c.fault(where, "%q is not a scope: RFC 6749 §3.3 allows visible ASCII without space, quote and backslash", scope)
		case scope == offlineAccess:
			c.fault(where, "%q asks for a refresh token and is not a scope of a resource", scope)
		case slices.Contains(scopes[:i], scope):
			c.fault(where, "names %q twice", scope)
		}
	}
}
