package policy

import (
	"cmp"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
)

// Compile is [Compiler.Compile] of the zero Compiler.
func Compile(p Policy) (*Table, error) { return Compiler{}.Compile(p) }

// A Compiler compiles policies. The zero Compiler is ready to use. It may be used
// concurrently.
type Compiler struct {
	// Descriptors are those that the names of services and methods are checked
	// against. Nil means the ones that are linked into the program
	// (protoregistry.GlobalFiles).
	Descriptors Descriptors
	// RequireRules makes it a fault, in place of a warning, if a service that has a
	// descriptor has a method without a rule.
	RequireRules bool
	// Conditions compiles the [Rule.Condition] of rules. Without it, a rule that has one
	// is a fault.
	Conditions ConditionCompiler
	// Questions compiles the [Rule.Question] of rules. Without it, a rule that has one is
	// a fault.
	Questions QuestionCompiler
}

// Descriptors finds protobuf descriptors. It is implemented by
// [*protoregistry.Files].
type Descriptors interface {
	// FindDescriptorByName returns the descriptor with a full name. The error is
	// protoregistry.NotFound if there is none.
	FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error)
	// RangeFiles calls yield for each file until it returns false.
	RangeFiles(yield func(file protoreflect.FileDescriptor) bool)
}

var _ Descriptors = (*protoregistry.Files)(nil)

// Compile checks a policy and returns its [Table]. The error joins a
// [*fault.Fault] for each fault, in a stable order. What may be a mistake, and does
// no harm, is in [Table.Warnings].
//
// Compile checks names against descriptors, so that a rule for a service or method
// that does not exist is an error.
func (config Compiler) Compile(p Policy) (*Table, error) {
	c := config.compile(&p)
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	warned := make(map[string]bool)
	config.Conditions, config.Questions = asWritten{}, asWritten{}
	for below := p.replaced; below != nil; below = below.replaced {
		// What is wrong with a rule that is replaced harms nobody, and its conditions are
		// compared as they are written.
		c.warnOfWeaker(config.compile(below).table, warned)
	}
	return c.table, nil
}

type compiler struct {
	Compiler

	hierarchy hierarchy
	table     *Table
	faults    fault.List
	source    string // of the rule that is being compiled
	isLinked  bool   // whether the descriptors are those of the program
}

func (config Compiler) compile(p *Policy) *compiler {
	isLinked := config.Descriptors == nil
	if isLinked {
		config.Descriptors = protoregistry.GlobalFiles
	}
	c := &compiler{
		Compiler:  config,
		isLinked:  isLinked,
		faults:    fault.List{Within: "policy: "},
		hierarchy: newHierarchy(p.Implies),
		table: &Table{
			methods:   newIndex(),
			services:  newIndex(),
			open:      newIndex(),
			described: make(map[string]bool),
			sources:   make(map[string]string),
			resources: clonedLists(p.Resources),
		},
	}
	for _, f := range p.faults {
		c.faults.Join(f)
	}
	c.checkImplies(p.Implies, p.Sources)
	for _, name := range sortedKeys(p.Services) {
		c.service(name, p.Services[name])
	}
	c.checkResources(p)
	return c
}

// impliesPlace and resourcesPlace are the places of entries, as in Policy.Sources.
func impliesPlace(scope string) string        { return fmt.Sprintf("Implies[%q]", scope) }
func resourcesPlace(identifier string) string { return fmt.Sprintf("Resources[%q]", identifier) }

// fault adds a fault of the rule that is being compiled, or of the policy.
func (c *compiler) fault(place, value, reason, remedy string) {
	c.faults.AddAt(c.source, place, value, reason, remedy)
}

func (c *compiler) checkResources(p *Policy) {
	for _, identifier := range sortedKeys(p.Resources) {
		place := resourcesPlace(identifier)
		c.source = p.Sources[place]
		if len(p.Resources[identifier]) == 0 {
			c.fault(place, "", "has no services", "remove it for those of the resource")
		}
		for i, service := range p.Resources[identifier] {
			if _, ok := p.Services[service]; !ok {
				c.fault(fmt.Sprintf("%s[%d]", place, i), service, "is not a service of the policy", "")
			}
		}
	}
	c.source = ""
}

func (c *compiler) checkImplies(implies map[string][]string, sources map[string]string) {
	for _, scope := range sortedKeys(implies) {
		where := impliesPlace(scope)
		c.source = sources[where]
		c.checkScopes(where, append([]string{scope}, implies[scope]...))
		if len(implies[scope]) == 0 {
			c.fault(where, "", "implies nothing", "remove it")
		}
	}
	for _, cycle := range c.hierarchy.cycles() {
		first, _, _ := strings.Cut(cycle, " → ")
		c.source = sources[impliesPlace(first)]
		c.fault("Implies", cycle, "is a cycle of scopes that imply each other", "")
	}
	c.source = ""
}

func (c *compiler) service(name string, service Service) {
	where := fmt.Sprintf("Services[%q]", name)
	c.source = service.Source
	defer func() { c.source = "" }()
	if !rpc.ValidService(name) {
		c.fault(where, name, "is not a protobuf service name such as inventory.v1.InventoryService", "")
		return
	}
	if service.Rule.IsZero() && len(service.Methods) == 0 {
		c.fault(where, "", "has neither a rule nor methods", "remove it to deny every call")
	}
	descriptor := c.describe(where, name, service.NoDescriptor)
	c.table.described[name] = descriptor != nil
	c.table.sources[name] = service.Source
	c.spread(name, c.rule(where+".Rule", targetOf(name, "", descriptor), service.Rule), descriptor)
	for _, method := range sortedKeys(service.Methods) {
		c.method(where, name, method, service.Methods[method], descriptor)
	}
	if descriptor != nil && service.Rule.IsZero() {
		c.warnOfUncovered(where, service.Methods, descriptor)
	}
}

// spread enters the rule of a service, nil for the zero Rule, for each of its
// methods, so that the lookup of a method takes one step without parsing, and a
// misspelled method has no rule. Without a descriptor, the rule applies to every
// well-formed method.
func (c *compiler) spread(service string, requirement *Requirement, descriptor protoreflect.ServiceDescriptor) {
	if requirement != nil {
		requirement.isShared = true
	}
	c.table.services[service] = requirement
	if descriptor == nil {
		c.table.open[service] = requirement
		return
	}
	for i := range descriptor.Methods().Len() {
		method := descriptor.Methods().Get(i).Name()
		c.table.methods["/"+service+"/"+string(method)] = c.forOne(requirement)
	}
}

// forOne returns the requirement of a service for one of its methods. What depends on the
// call is not the same for two of them.
func (c *compiler) forOne(requirement *Requirement) *Requirement {
	if requirement == nil || len(requirement.conditions) == 0 {
		return requirement
	}
	one := *requirement
	one.of, one.isShared = requirement, false
	c.table.requirements = append(c.table.requirements, &one)
	return &one
}

func (c *compiler) method(where, service, method string, rule Rule, descriptor protoreflect.ServiceDescriptor) {
	where = fmt.Sprintf("%s.Methods[%q]", where, method)
	defer func(outer string) { c.source = outer }(c.source)
	c.source = cmp.Or(rule.Source, c.source)
	switch {
	case !rpc.ValidMethod(method):
		c.fault(where, method, "is not the plain name of a method such as ListItems", "")
	case descriptor != nil && descriptor.Methods().ByName(protoreflect.Name(method)) == nil:
		c.fault(where, method, "is not a method of service "+service, "")
	}
	c.table.methods["/"+service+"/"+method] = c.rule(where, targetOf(service, method, descriptor), rule)
}

// describe returns the descriptor of a service, or nil.
func (c *compiler) describe(where, name string, noDescriptor bool) protoreflect.ServiceDescriptor {
	found, err := c.Descriptors.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		switch {
		case noDescriptor:
		case c.isLinked:
			c.fault(where, name, "is not the name of a service whose descriptor is linked into this program",
				"import its generated package, or set NoDescriptor if the program has none, as of a plain HTTP handler, "+
					"a service that is served elsewhere, or the handlers of connectrpc.com/grpchealth and connectrpc.com/grpcreflect")
		default:
			c.fault(where, name, "is not the name of a service in the descriptors",
				"correct it, or set NoDescriptor if it has none, as a plain HTTP handler")
		}
		return nil
	}
	service, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		c.fault(where, name, fmt.Sprintf("is a protobuf %T, not a service", found), "")
		return nil
	}
	return service
}

// rule compiles a rule. It returns nil for one that denies every caller.
func (c *compiler) rule(where string, target Target, rule Rule) *Requirement {
	defer func(outer string) { c.source = outer }(c.source)
	c.source = rule.Source
	if rule.Denied && (rule.Public || rule.needsToken()) {
		c.fault(where, "", "is denied and allows callers", "remove Denied, or everything else")
	}
	if rule.denies() {
		return nil
	}
	if rule.Public && rule.needsToken() {
		c.fault(where, "", "is public and requires a token", "remove Public, or everything else")
	}
	if rule.Authenticated && rule.hasScopes() {
		c.fault(where, "", "sets both Authenticated and scopes", "remove Authenticated: scopes require a token, too")
	}
	if rule.Proof > ProofRefused {
		c.fault(where+".Proof", rule.Proof.String(), "is not a value of Proof", "")
	}
	requirement := &Requirement{
		service: target.Service, rule: rule.clone(),
		identity: c.identity(where, rule), authentication: c.authentication(where, rule), claims: c.claims(where, rule),
	}
	for _, condition := range [...]Condition{c.condition(where, rule, target), c.question(where, rule, target)} {
		if condition != nil {
			requirement.conditions = append(requirement.conditions, condition)
		}
	}
	c.scopes(where, rule, requirement)
	c.table.requirements = append(c.table.requirements, requirement)
	requirement.lacksScope = &ShortfallError{Reason: challenge.ReasonInsufficientScope, Scopes: requirement.ask}
	acrValues, maxAge := requirement.ChallengeAuthentication()
	requirement.lacksAuthentication = &ShortfallError{
		Reason: challenge.ReasonInsufficientAuthentication, Scopes: requirement.ask, ACRValues: acrValues, MaxAge: maxAge,
	}
	return requirement
}
