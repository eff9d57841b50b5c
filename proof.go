package drawbridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// certificateMethod is the confirmation method of certificate-bound tokens
// (RFC 8705 §3.1).
const certificateMethod = "x5t#S256"

// The causes of denials of tokens whose binding is not as it has to be.
var (
	errUnproven     = fmt.Errorf("%w: bound to a key of the client (cnf), and no binding is configured for the method", token.ErrInvalid)
	errSentAsBearer = fmt.Errorf("%w: bound by DPoP, and sent as Bearer", token.ErrInvalid)
	errSentAsDPoP   = fmt.Errorf("%w: sent as DPoP, and not bound to a key", token.ErrInvalid)
	errUnbound      = fmt.Errorf("%w: not bound to a key of the client, which the resource or the rule requires", token.ErrInvalid)
	errBound        = fmt.Errorf("%w: bound to a key of the client, which the resource or the rule refuses", token.ErrInvalid)
)

// dpop is the binding whose tokens are sent under the scheme DPoP.
type dpop struct {
	method string // of confirmation; empty if there is no such binding
	algs   []string
}

// dpopOf returns the binding for the scheme DPoP.
func dpopOf(bindings map[string]token.Binding) dpop {
	for method, binding := range bindings {
		if scheme, ok := binding.(token.SchemeBinding); ok {
			_, algs := scheme.Scheme()
			return dpop{method, slices.Clone(algs)}
		}
	}
	return dpop{}
}

// checkProofs adds the faults of the bindings that have a scheme of their own, and of
// resources that require proofs which nothing checks.
func (cfg *Config) checkProofs(faults *fault.List) {
	schemes := 0
	for _, method := range slices.Sorted(maps.Keys(cfg.Bindings)) {
		scheme, ok := cfg.Bindings[method].(token.SchemeBinding)
		if !ok || isNil(scheme) {
			continue
		}
		name, algs := scheme.Scheme()
		switch schemes++; {
		case !strings.EqualFold(name, challenge.DPoP):
			faults.Add("Bindings", method, fmt.Sprintf("has the scheme %q, and only DPoP is known", name), "")
		case len(algs) == 0:
			faults.Add("Bindings", method, "accepts no algorithm", "")
		case schemes > 1:
			faults.Add("Bindings", method, "is the second one with the scheme DPoP", "")
		}
	}
	for i, r := range cfg.Resources {
		place := fmt.Sprintf("Resources[%d].Proof", i)
		switch {
		case r.Proof > policy.ProofRefused:
			faults.Add(place, r.Proof.String(), "is not a value of policy.Proof", "")
		case r.Proof == policy.ProofRequired && len(cfg.Bindings) == 0:
			faults.Add(place, "", "requires tokens that are bound to a key, and no Binding accepts one", "configure Bindings")
		}
	}
}

// checkBindings checks a proof for every confirmation method of the token.
func (w *walk) checkBindings(ctx context.Context, req *Request) *challenge.DenialError {
	if cause := w.checkScheme(); cause != nil {
		return w.at.denial(req, challenge.ReasonInvalidToken, cause)
	}
	if w.isProven() {
		return nil
	}
	view := w.tokenRequest(ctx, req)
	for method := range w.info.Confirmation {
		binding, ok := w.state.bindings[method]
		if !ok {
			return w.at.denial(req, challenge.ReasonInvalidToken, errUnproven)
		}
		if reason, err := checkBinding(ctx, binding, w.info, view); err != nil {
			return w.at.unproven(req, reason, err)
		}
	}
	return nil
}

// checkRuleProofs adds a fault for each service with a rule that no token can meet,
// because of what the rule and every resource say about proofs.
func (cfg *Config) checkRuleProofs(table *policy.Table, faults *fault.List) {
	modes := make(map[policy.Proof]bool)
	for _, r := range cfg.Resources {
		modes[r.Proof] = true
	}
	seen := make(map[string]bool)
	for requirement := range table.Requirements() {
		service, reason := requirement.Service(), ""
		switch mode := requirement.Proof(); {
		case mode == policy.ProofRequired && len(cfg.Bindings) == 0:
			reason = "requires a token that is bound to a key, and no Binding accepts one"
		case mode == policy.ProofRequired && modes[policy.ProofRefused], mode == policy.ProofRefused && modes[policy.ProofRequired]:
			reason = "contradicts the Proof of a resource"
		}
		if reason != "" && !seen[service] {
			seen[service] = true
			faults.AddAt(requirement.Source(), "Policy", service, "has a rule whose Proof "+reason, "")
		}
	}
}

// isProven reports whether a decision further out about this request has checked the
// proofs of the same token at the same resource. A proof is accepted once, and the request
// has one.
func (w *walk) isProven() bool {
	return w.outer != nil && w.outer.credential == w.value && w.outer.at.address == w.at.address
}

// checkScheme returns the reason why a token may not be bound as it is, or not be sent
// under the scheme that it was sent under.
func (w *walk) checkScheme() error {
	confirmation := w.info.Confirmation
	_, isBound := confirmation[w.state.dpop.method]
	isBound = isBound && w.state.dpop.method != ""
	switch {
	case w.at.proof == policy.ProofRefused && confirmation != nil:
		return errBound
	case w.isDPoP && !isBound:
		return errSentAsDPoP
	case isBound && !w.isDPoP:
		return errSentAsBearer
	case confirmation == nil:
		return errUnbound
	case len(confirmation) == 0:
		return errUnproven
	default:
		return nil
	}
}

// checkProof returns the denial of a caller whose token is not bound as a further rule
// asks for. The proof itself was checked when the call was let in.
func (c *checkpoint) checkProof(req *Request, info *token.Info) *challenge.DenialError {
	switch {
	case c.proof == policy.ProofRequired && info.Confirmation == nil:
		return c.denial(req, challenge.ReasonInvalidToken, errUnbound)
	case c.proof == policy.ProofRefused && info.Confirmation != nil:
		return c.denial(req, challenge.ReasonInvalidToken, errBound)
	default:
		return nil
	}
}

// tokenRequest returns the request as a binding sees it. There is a transport,
// because there is a token.
func (w *walk) tokenRequest(ctx context.Context, req *Request) token.Request {
	transport := req.Transport
	peer, state := transport.Connection(ctx)
	if req.RemoteAddr != "" {
		peer = req.RemoteAddr
	}
	method := req.Method
	if method == "" {
		method = "POST"
	}
	return token.Request{
		Method: method,
		URL:    w.at.address.Base + req.escapedPath(),
		Raw:    w.raw,
		Values: func(name string) []string { return transport.Values(ctx, name) },
		Peer:   peer,
		TLS:    state,
	}
}

// unproven returns the denial of a request whose proof a binding refuses. If the client
// can send the same token with another proof, the challenge has the scheme of the proof.
func (c *checkpoint) unproven(req *Request, reason challenge.Reason, err error) *challenge.DenialError {
	proof, ok := errors.AsType[*token.ProofError](err)
	if !ok || reason != challenge.ReasonInvalidToken {
		return c.denial(req, reason, err)
	}
	denial := c.build(reason)
	denial.Cause = err
	if c.requirement == nil {
		denial.Challenge.Realm = req.realm()
	}
	denial.Challenge.Scheme = challenge.DPoP
	denial.Challenge.Nonce = proof.Nonce
	denial.Challenge.Error, denial.Challenge.ErrorDescription = proof.Code, ""
	denial.Challenge.ErrorDescription = denial.Error() // the sentence of the code
	return denial
}
