package drawbridge

import (
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/expiry"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// state is one configuration of an Authorizer, compiled. It is immutable,
// except that denials are built when they are first needed. Everything that
// belongs to a configuration hangs on it and goes with it.
type state struct {
	owner     *Authorizer
	table     *policy.Table
	verifier  token.Verifier
	bindings  map[string]token.Binding
	dpop      dpop
	directory *resource.Directory
	observers []Observer
	logger    *slog.Logger // nil means slog.Default() at the time of the record
	levels    map[challenge.Reason]slog.Level

	revocation token.RevocationChecker // nil if the verifier is none
	// checksExpiry reports that the verifier compares the expiry of a token with
	// the clock whenever it returns an Info.
	checksExpiry bool

	resources []*token.Resource              // as the verifier gets them, by the index of the address
	extras    map[*resource.Resource]*extras // what only this package knows of a resource

	rules  map[*policy.Requirement]*rule
	noRule *rule // of everything that no rule covers
}

// rule is a requirement with a checkpoint for each address of the directory.
type rule struct {
	requirement *policy.Requirement // nil if nothing is allowed
	checkpoints []checkpoint
	open        []checkpoint // the same, of decisions that wait for the message
}

// checkpoint is a requirement at the address of a resource: what determines a
// denial, together with the reason.
type checkpoint struct {
	state       *state
	requirement *policy.Requirement // nil if nothing is allowed
	address     *resource.Address
	resource    *token.Resource // the resource of address, as the verifier gets it
	proof       policy.Proof    // what resource and requirement say together
	isOpen      bool            // whether the decision waits for the message
	isServed    bool            // whether the resource serves the service of the requirement
	denials     [challenge.Reasons]atomic.Pointer[challenge.DenialError]
}

// newState compiles a configuration, or returns every fault.
func newState(owner *Authorizer, cfg *Config) (*state, error) {
	faults := fault.List{Within: "drawbridge: "}
	cfg.check(&faults)
	table, err := cfg.Compiler.Compile(cfg.Policy)
	configured := cfg.located(table, &faults)
	proxies := resource.Proxies{Networks: cfg.TrustedProxies, Field: cfg.ForwardedField}
	before := faults.Len()
	directory := resource.NewDirectory(configured, proxies, &faults)
	isValid := faults.Len() == before
	faults.Join(err)
	if isValid && err == nil {
		checkServed(directory, table, &faults)
		cfg.checkRuleProofs(table, &faults)
		checkGrantable(directory, table, cfg.Verifier, &faults)
	}
	if isValid && !isNil(cfg.Verifier) {
		checkVerifier(directory, cfg.Verifier, &faults)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	s := &state{
		owner:        owner,
		table:        table,
		verifier:     cfg.Verifier,
		bindings:     maps.Clone(cfg.Bindings),
		dpop:         dpopOf(cfg.Bindings),
		directory:    directory,
		observers:    slices.Clone(cfg.Observers),
		logger:       cfg.Logger,
		levels:       maps.Clone(cfg.LogLevels),
		checksExpiry: expiry.Checked(cfg.Verifier),
		rules:        make(map[*policy.Requirement]*rule),
	}
	for _, address := range directory.Addresses() {
		s.resources = append(s.resources, verifiable(address))
	}
	s.revocation, _ = cfg.Verifier.(token.RevocationChecker)
	s.extras = extrasOf(directory, cfg.Resources)
	s.noRule = s.newRule(nil)
	for requirement := range table.Requirements() {
		s.rules[requirement] = s.newRule(requirement)
	}
	return s, nil
}

func (s *state) newRule(requirement *policy.Requirement) *rule {
	r := &rule{requirement: requirement, checkpoints: s.newCheckpoints(requirement, false)}
	if requirement != nil && requirement.NeedsMessage() {
		r.open = s.newCheckpoints(requirement, true)
	}
	return r
}

// newCheckpoints returns a checkpoint for each address.
func (s *state) newCheckpoints(requirement *policy.Requirement, isOpen bool) []checkpoint {
	addresses := s.directory.Addresses()
	checkpoints := make([]checkpoint, len(addresses))
	for i, address := range addresses {
		c := &checkpoints[i]
		c.state, c.requirement, c.address, c.resource, c.isOpen = s, requirement, address, s.resources[address.Index], isOpen
		c.proof = s.extras[address.Resource].proof
		if requirement != nil && requirement.Proof() != policy.ProofAllowed {
			c.proof = requirement.Proof()
		}
		services := address.Resource.Services()
		c.isServed = requirement == nil || len(services) == 0 || slices.Contains(services, requirement.Service())
	}
	return checkpoints
}

// start returns when a decision begins, if it is observed.
func (s *state) start() time.Time {
	if len(s.observers) == 0 {
		return time.Time{}
	}
	return time.Now()
}

// ruleFor returns the rule of a procedure, or of a service if the procedure is
// empty.
func (s *state) ruleFor(procedure, service string) *rule {
	var requirement *policy.Requirement
	if procedure != "" {
		requirement = s.table.Lookup(procedure)
	} else {
		requirement = s.table.LookupService(service)
	}
	if requirement == nil {
		return s.noRule
	}
	return s.rules[requirement]
}

func (r *rule) isPublic() bool { return r.requirement != nil && r.requirement.Public() }

// at returns the checkpoint of r at an address. Without one it is the first.
func (r *rule) at(address *resource.Address) *checkpoint {
	if address == nil {
		return &r.checkpoints[0]
	}
	return &r.checkpoints[address.Index]
}
