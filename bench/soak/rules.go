package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// The services. The first four have the same methods, one service for each kind
// of stream; the others are guarded as a whole.
const (
	unaryService  = "soak.v1.Unary"
	clientService = "soak.v1.Client"
	serverService = "soak.v1.Server"
	bidiService   = "soak.v1.Bidi"
	toolsService  = "soak.v1.Tools"
	filesService  = "soak.v1.Files"
	frontService  = "soak.v1.Front"
)

var (
	rpcServices = []string{unaryService, clientService, serverService, bidiService}
	methods     = []string{"M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7"}
)

// The scopes.
const (
	scopeRead  = "read"
	scopeWrite = "write"
	scopeAudit = "audit"
	scopeAdmin = "admin"
)

// A need is what a rule asks of a caller. The zero need lets no one in.
type need struct {
	public, authenticated bool
	all, some             []string
}

// needs are what the policies deal out to the methods.
var needs = []need{
	{public: true},
	{authenticated: true},
	{all: []string{scopeRead}},
	{all: []string{scopeWrite}},
	{all: []string{scopeRead, scopeAudit}},
	{some: []string{scopeWrite, scopeAdmin}},
	{},
	{all: []string{scopeAdmin}},
}

// isZero reports whether n lets no one in.
func (n need) isZero() bool {
	return !n.public && !n.authenticated && len(n.all) == 0 && len(n.some) == 0
}

// ask returns the scopes that a challenge names.
func (n need) ask() []string {
	scopes := slices.Clone(n.all)
	if len(n.some) > 0 && !slices.Contains(scopes, n.some[0]) {
		scopes = append(scopes, n.some[0])
	}
	return scopes
}

// rules are a policy as the oracle reads it.
type rules struct {
	methods  map[string]need // by procedure
	services map[string]need // for the methods without an entry, and for plain handlers
	implies  map[string][]string
}

// bootstrapRules name every method, as the configuration of the MCP endpoint
// requires when it is built.
func bootstrapRules() *rules {
	r := &rules{methods: map[string]need{}, services: map[string]need{}}
	for _, service := range []string{toolsService, filesService, frontService} {
		r.services[service] = need{authenticated: true}
	}
	for _, service := range rpcServices {
		for _, method := range methods {
			r.methods["/"+service+"/"+method] = need{authenticated: true}
		}
	}
	return r
}

// allRules returns the policies between which the soak reloads. Each deals the
// needs out in another way, so that every method has had every need, leaves some
// methods to the rule of their service, and has other scopes that imply others.
func allRules() []*rules {
	list := make([]*rules, len(needs))
	for p := range list {
		r := &rules{methods: map[string]need{}, services: map[string]need{}}
		for s, service := range rpcServices {
			for m, method := range methods {
				if (m+p)%len(methods) != len(methods)-1 {
					r.methods["/"+service+"/"+method] = needs[(m+p+s)%len(needs)]
				}
			}
			r.services[service] = needs[[]int{1, 6, 2, 6, 0}[(p+s)%5]]
		}
		for i, service := range []string{toolsService, filesService, frontService} {
			r.services[service] = needs[(p+3*i)%len(needs)]
		}
		r.implies = []map[string][]string{
			nil,
			{scopeAdmin: {scopeWrite}, scopeWrite: {scopeRead}},
			{scopeAdmin: {scopeAudit}},
		}[p%3]
		list[p] = r
	}
	return list
}

// of returns the need of a procedure, or of a service as a whole.
func (r *rules) of(name string) need {
	if n, ok := r.methods[name]; ok {
		return n
	}
	if path, isProcedure := strings.CutPrefix(name, "/"); isProcedure {
		name, _, _ = strings.Cut(path, "/")
	}
	return r.services[name]
}

// satisfy reports whether the granted scopes meet n.
func (r *rules) satisfy(n need, granted []string) bool {
	held := make(map[string]bool)
	for queue := slices.Clone(granted); len(queue) > 0; queue = queue[1:] {
		if scope := queue[0]; !held[scope] {
			held[scope] = true
			queue = append(queue, r.implies[scope]...)
		}
	}
	holds := func(scope string) bool { return held[scope] }
	return !slices.ContainsFunc(n.all, func(scope string) bool { return !held[scope] }) &&
		(len(n.some) == 0 || slices.ContainsFunc(n.some, holds))
}

// join adds to scopes what n asks for, unless they meet n.
func (r *rules) join(scopes []string, n need) []string {
	if r.satisfy(n, scopes) {
		return scopes
	}
	for _, scope := range n.ask() {
		if !slices.Contains(scopes, scope) {
			scopes = append(slices.Clip(scopes), scope)
		}
	}
	return scopes
}

// policy returns the rules as drawbridge takes them, and the services in them.
func (r *rules) policy() (policy.Policy, map[string]bool) {
	p := policy.Policy{Services: make(map[string]policy.Service), Implies: maps.Clone(r.implies)}
	for name, n := range r.services {
		p.Services[name] = policy.Service{Rule: n.rule(), NoDescriptor: true}
	}
	for procedure, n := range r.methods {
		name, method, _ := strings.Cut(procedure[1:], "/")
		service := p.Services[name]
		if service.Methods == nil {
			service.Methods = make(map[string]policy.Rule)
		}
		service.Methods[method] = n.rule()
		service.NoDescriptor = true
		p.Services[name] = service
	}
	known := make(map[string]bool)
	for name, service := range p.Services {
		if service.Rule.IsZero() && len(service.Methods) == 0 {
			delete(p.Services, name) // a fault: nothing would be said of it
			continue
		}
		known[name] = true
	}
	return p, known
}

func (n need) rule() policy.Rule {
	return policy.Rule{Public: n.public, Authenticated: n.authenticated, Scopes: n.all, AnyScopes: n.some}
}

// String is for the report of a wrong decision.
func (n need) String() string {
	switch {
	case n.isZero():
		return "no rule"
	case n.public:
		return "public"
	case n.authenticated:
		return "a token"
	default:
		return fmt.Sprintf("all of %q, one of %q", n.all, n.some)
	}
}
