// Package interceptor decides: may this caller do this?
//
// An [Authorizer] joins a policy, a token verifier and the protected resources
// that a server is. [Authorizer.Authorize] takes what an adapter read from its
// transport and returns the facts of the token, or a [*ChallengeError] that
// tells the caller how to come back. The package knows no RPC framework:
// connectauth and grpcauth carry its decisions, httpbridge tells them to HTTP
// clients.
package interceptor

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// Authorizer decides about calls. It is immutable after [New], and safe for
// concurrent use.
type Authorizer struct {
	table     *policy.Table
	verifier  TokenVerifier
	directory directory
	logger    *slog.Logger // nil means slog.Default() at the time of the record

	// challenged holds the denials of callers without credentials, which
	// depend on nothing but the rule and the door. They are built when they are
	// first needed; there is a place for each pair.
	challenged []atomic.Pointer[ChallengeError]
}

// New makes an Authorizer, or returns every fault of the configuration at once:
// [*ConfigError] and [*policy.Error] values, joined.
func New(cfg Config) (*Authorizer, error) {
	a := &Authorizer{verifier: cfg.Verifier, logger: cfg.Logger}
	var f faults
	f.checkConfig(cfg)
	a.directory = newDirectory(a, cfg, &f)
	table, err := policy.Compile(cfg.Policy)
	if err != nil {
		f = append(f, err)
	}
	if err := f.join(); err != nil {
		return nil, err
	}
	a.table = table
	a.challenged = make([]atomic.Pointer[ChallengeError], table.Len()*len(a.directory.doors))
	return a, nil
}

// Authorize decides about a call. It returns the facts of the caller's token,
// which are nil if the rule is public, or a [*ChallengeError]. Each denial is
// logged once, here.
//
// Nothing is remembered between calls: a Verifier may keep facts of tokens, but
// no decision outlives the call that it was made for.
func (a *Authorizer) Authorize(ctx context.Context, req Request) (*TokenInfo, error) {
	g, denial := a.decide(ctx, &req)
	if denial != nil {
		return nil, denial
	}
	return g.info, nil
}

// AuthorizeContext is [Authorizer.Authorize] for adapters: it returns a context
// that carries the decision, for [TokenInfoFromContext] and [Authorizer.Check].
// If ctx carries a's decision about this very call already, made by an adapter
// further out, that stands and nothing is decided again.
func (a *Authorizer) AuthorizeContext(ctx context.Context, req Request) (context.Context, error) {
	if a.decided(ctx, &req) {
		return ctx, nil
	}
	g, denial := a.decide(ctx, &req)
	if denial != nil {
		return nil, denial
	}
	return &grantContext{Context: ctx, grant: g}, nil
}

// Check decides whether the caller that ctx carries may call a further
// procedure, "/pkg.Service/Method", inside this process: the rule alone, on the
// token that was verified at the door. It is for code that acts for the caller
// without sending a request, such as an MCP tool that calls a service's Go
// method. A ctx that a did not authorise carries nobody.
//
// A denial for want of scopes asks for all that the procedure and the door need
// together: the caller comes back through the same door with a token that may
// hold nothing else.
func (a *Authorizer) Check(ctx context.Context, procedure string) error {
	g := a.grantOf(ctx)
	req := Request{Procedure: procedure}
	requirement := a.table.Lookup(procedure)
	var denial *ChallengeError
	switch {
	case requirement != nil && requirement.Public():
		return nil
	case g.info == nil:
		denial = a.noCredentials(&req, requirement, g.through)
	case g.info.expired():
		denial = newDenial(KindInvalidToken, &req, requirement, g.through, errExpired)
	default:
		denial = a.judge(&req, requirement, g.through, g.info)
	}
	if denial != nil && denial.Kind == KindInsufficientScope && g.requirement != nil {
		denial.Challenge.Scopes = g.requirement.Join(denial.Challenge.Scopes)
	}
	if denial != nil {
		a.report(ctx, procedure, denial, g.info)
		return denial
	}
	return nil
}

// Expired returns the denial of a call whose token has expired since it was
// authorised, and logs it. Adapters call it when a stream outlives
// [TokenInfo.Expiry].
func (a *Authorizer) Expired(ctx context.Context, procedure string) error {
	g := a.grantOf(ctx)
	req := Request{Procedure: procedure}
	denial := newDenial(KindInvalidToken, &req, g.requirement, g.through, errExpired)
	a.report(ctx, procedure, denial, g.info)
	return denial
}

// Refuse returns the denial of a request that an adapter refuses for reasons of
// its own transport, such as a foreign origin, and logs it with the cause.
func (a *Authorizer) Refuse(ctx context.Context, req Request, kind Kind, cause error) error {
	denial := newDenial(kind, &req, nil, nil, cause)
	a.report(ctx, req.name(), denial, a.grantOf(ctx).info)
	return denial
}

// JoinScopes returns the scopes that a token needs for what the given ones are
// for, for the door that ctx was authorised at, and, unless it is empty, for a
// procedure that was called on the way. It is for adapters that tell a caller
// what a backend asks: the caller comes back by the same way.
func (a *Authorizer) JoinScopes(ctx context.Context, procedure string, scopes []string) []string {
	if through := a.table.Lookup(procedure); through != nil {
		scopes = through.Join(scopes)
	}
	if door := a.grantOf(ctx).requirement; door != nil {
		scopes = door.Join(scopes)
	}
	return scopes
}

// grantOf returns the decision of a that ctx carries, or that of nobody.
func (a *Authorizer) grantOf(ctx context.Context) grant {
	g, ok := grantFromContext(ctx)
	if !ok || g.through == nil || g.through.owner != a {
		return grant{through: a.directory.doors[0]}
	}
	return g
}

// UsesHost reports whether the host of a request makes a difference: it does
// not if there is one base URL. Adapters to which the host and the forwarded
// fields cost something leave them out then.
func (a *Authorizer) UsesHost() bool { return a.directory.usesHost }

// HasRule reports whether a rule lets some caller call procedure,
// "/pkg.Service/Method". Whoever maps other names to procedures checks that at
// construction, because without a rule every call is denied.
func (a *Authorizer) HasRule(procedure string) bool { return a.table.Lookup(procedure) != nil }

// HasServiceRule is HasRule for the rule of a service as a whole, which guards
// plain HTTP handlers.
func (a *Authorizer) HasServiceRule(service string) bool {
	return a.table.LookupService(service) != nil
}

// OwnOrigin reports whether origin, as a browser writes it into the Origin field
// (RFC 6454 §6.2), is that of one of the base URLs of the resources.
func (a *Authorizer) OwnOrigin(origin string) bool {
	return a.directory.origins[strings.ToLower(origin)]
}

// decide is the way of one request. Whatever it does not expressly allow is
// denied.
func (a *Authorizer) decide(ctx context.Context, req *Request) (grant, *ChallengeError) {
	g := grant{requirement: a.requirement(req), through: a.directory.find(req)}
	denial := a.admit(ctx, req, &g)
	if denial != nil {
		a.report(ctx, req.name(), denial, g.info)
		return grant{}, denial
	}
	return g, nil
}

// requirement returns the rule of a request, nil if there is none.
func (a *Authorizer) requirement(req *Request) *policy.Requirement {
	if req.Procedure != "" {
		return a.table.Lookup(req.Procedure)
	}
	return a.table.LookupService(req.Service)
}

func (a *Authorizer) admit(ctx context.Context, req *Request, g *grant) *ChallengeError {
	covered := g.through != nil
	if !covered {
		// There is nothing here, which only a caller with a token learns.
		g.requirement, g.through = nil, a.directory.doors[0]
	}
	if !req.isPlain() && (hasDotSegment(req.Path) || a.directory.ambiguous(req)) {
		denial := newDenial(KindInvalidRequest, req, g.requirement, g.through, errAmbiguous)
		denial.Challenge.ErrorDescription = ambiguousPath
		return denial
	}
	if g.requirement != nil && g.requirement.Public() {
		return nil
	}
	token, found := readCredential(req)
	switch found {
	case credentialBearer:
	case credentialMalformed:
		return newDenial(KindInvalidRequest, req, g.requirement, g.through, errSyntax)
	case credentialRepeated:
		return newDenial(KindInvalidRequest, req, g.requirement, g.through, errRepeated)
	case credentialNone:
		return a.noCredentials(req, g.requirement, g.through)
	}
	info, denial := a.authenticate(ctx, req, g, token)
	switch {
	case denial != nil:
		return denial
	case !covered:
		return newDenial(KindNotFound, req, nil, g.through, errNoResource)
	case !g.through.resource.accepts(info.Audience):
		denial := newDenial(KindInvalidToken, req, g.requirement, g.through, errAudience)
		denial.Challenge.ErrorDescription = wrongAudience
		return denial
	}
	g.info = info
	g.credential = &req.Authorization[0]
	return a.judge(req, g.requirement, g.through, info)
}

// authenticate asks the verifier who sent the token.
func (a *Authorizer) authenticate(ctx context.Context, req *Request, g *grant, token string) (*TokenInfo, *ChallengeError) {
	if len(token) > MaxTokenLength {
		return nil, newDenial(KindInvalidToken, req, g.requirement, g.through, errTooLong)
	}
	info, kind, err := a.verify(ctx, token)
	if err != nil {
		return nil, newDenial(kind, req, g.requirement, g.through, err)
	}
	return info, nil
}

// judge compares what a token grants with what the rule asks.
func (a *Authorizer) judge(req *Request, requirement *policy.Requirement, through *door, info *TokenInfo) *ChallengeError {
	switch {
	case requirement == nil:
		return newDenial(KindNotFound, req, nil, through, errNoRule)
	case !requirement.Satisfied(info.Scopes):
		return newDenial(KindInsufficientScope, req, requirement, through, nil)
	default:
		return nil
	}
}
