package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
)

// A Part is one part of a rule, judged by itself.
type Part struct {
	// Name is the name of the field in a policy file.
	Name string
	// Requires is what the part asks for, in one line.
	Requires string
	// State says whether the caller meets it.
	State State
	// Detail says why.
	Detail string
}

// A State is [Met], [Unmet] or [Open].
type State string

// The states.
const (
	Met   State = "met"
	Unmet State = "not met"
	Open  State = "not judged"
)

// parts judges each part of a rule, in the order in which a server does. Each becomes a rule
// of its own, so that what decides is the code of the server.
func (j Judge) parts(ctx context.Context, row listing.Row, caller Caller) ([]Part, error) {
	if caller.Info == nil {
		return []Part{{Name: "token", Requires: "a valid token", State: Unmet, Detail: "there is no token"}}, nil
	}
	var parts []Part
	for _, piece := range split(row.Rule) {
		part := Part{Name: piece.name, Requires: piece.rule.String(), State: Met}
		if piece.rule.Proof != policy.ProofAllowed {
			if part.Detail = checkProof(piece.rule.Proof, caller.Info); part.Detail != "" {
				part.State = Unmet
			}
			parts = append(parts, part)
			continue
		}
		err := j.check(ctx, row, piece.rule, caller)
		switch shortfall, ok := errors.AsType[*policy.ShortfallError](err); {
		case err == nil:
		case isUnjudged(err):
			part.State, part.Detail = Open, unjudgedText(err)
		case ok:
			part.State = Unmet
			if shortfall.Cause != nil {
				part.Detail = shortfall.Cause.Error()
			}
		default:
			return nil, err
		}
		part.Detail = strings.Join(slices.DeleteFunc([]string{j.detail(piece, caller.Info), part.Detail}, isEmpty), ": ")
		parts = append(parts, part)
	}
	return parts, nil
}

func isEmpty(text string) bool { return text == "" }

// check judges a caller by a rule in the place of that of a row. Its error is that of a
// Requirement.
func (j Judge) check(ctx context.Context, row listing.Row, rule policy.Rule, caller Caller) error {
	service := policy.Service{NoDescriptor: j.Source.Policy.Services[row.Service].NoDescriptor, Methods: map[string]policy.Rule{row.Method: rule}}
	if row.Method == "*" {
		service.Methods, service.Rule = nil, rule
	}
	table, err := j.Source.Compiler().Compile(policy.Policy{
		Services: map[string]policy.Service{row.Service: service}, Implies: j.Source.Policy.Implies,
	})
	if err != nil {
		return err
	}
	alone := Judge{Source: j.Source, Table: table, Now: j.Now, Message: j.Message}
	return alone.requirement(row).Check(ctx, j.input(row, caller))
}

// A piece is a part of a rule as a rule of its own.
type piece struct {
	name string
	rule policy.Rule
}

// split returns the parts of a rule in the order in which a server judges them.
func split(r policy.Rule) []piece {
	var pieces []piece
	add := func(has bool, name string, rule policy.Rule) {
		if has {
			pieces = append(pieces, piece{name, rule})
		}
	}
	add(r.Authenticated, "authenticated", policy.Rule{Authenticated: true})
	add(r.Proof != policy.ProofAllowed, "proof", policy.Rule{Proof: r.Proof})
	add(r.Party != token.PartyUnknown, "party", policy.Rule{Party: r.Party})
	add(r.NoActor, "no_actor", policy.Rule{NoActor: true})
	add(len(r.Actors) > 0, "actors", policy.Rule{Actors: r.Actors})
	for _, condition := range r.Claims {
		add(true, "claims", policy.Rule{Claims: []policy.ClaimCondition{condition}})
	}
	add(len(r.ACRValues) > 0, "acr_values", policy.Rule{ACRValues: r.ACRValues})
	add(r.MaxAge != 0, "max_age", policy.Rule{MaxAge: r.MaxAge})
	add(len(r.Scopes) > 0, "scopes", policy.Rule{Scopes: r.Scopes})
	add(len(r.AnyScopes) > 0, "any_scopes", policy.Rule{AnyScopes: r.AnyScopes})
	add(len(r.AnyScopeSets) > 0, "any_scope_sets", policy.Rule{AnyScopeSets: r.AnyScopeSets})
	add(r.Condition != "", "condition", policy.Rule{Condition: r.Condition})
	add(r.Question != nil, "question", policy.Rule{Question: r.Question})
	return pieces
}

// checkProof returns what is wrong with the binding of a token, which the Authorizer and not
// the policy judges (RFC 7800 §3.1).
func checkProof(proof policy.Proof, info *token.Info) string {
	switch {
	case proof == policy.ProofRequired && info.Confirmation == nil:
		return "the token is not bound to a key: it has no cnf"
	case proof == policy.ProofRefused && info.Confirmation != nil:
		return "the token is bound to a key: it has cnf"
	default:
		return ""
	}
}

// detail says what the token has of what a part asks for.
func (j Judge) detail(p piece, info *token.Info) string {
	switch {
	case p.rule.MaxAge != 0 && info.AuthTime.IsZero():
		return "the token has no auth_time"
	case p.rule.MaxAge != 0:
		return fmt.Sprintf("the user authenticated %s ago", j.Now.Sub(info.AuthTime).Round(1e9))
	case len(p.rule.ACRValues) > 0 && info.ACR == "":
		return "the token has no acr"
	case len(p.rule.ACRValues) > 0:
		return "acr is " + info.ACR
	}
	var details []string
	for _, scope := range scopesOf(p.rule) {
		details = append(details, j.scopeDetail(scope, info.Scopes))
	}
	return strings.Join(details, ", ")
}

func scopesOf(r policy.Rule) []string {
	scopes := slices.Concat(r.Scopes, r.AnyScopes, slices.Concat(r.AnyScopeSets...))
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// scopeDetail says whether a token has a scope, or one that implies it.
func (j Judge) scopeDetail(scope string, granted []string) string {
	if slices.Contains(granted, scope) {
		return "has " + scope
	}
	for _, held := range granted {
		if slices.Contains(j.implied(held), scope) {
			return fmt.Sprintf("has %s, which implies %s", held, scope)
		}
	}
	return "lacks " + scope
}

// implied returns the scopes that a scope includes, directly or through others.
func (j Judge) implied(scope string) []string {
	found := []string{scope}
	for i := 0; i < len(found); i++ {
		for _, implied := range j.Source.Policy.Implies[found[i]] {
			if !slices.Contains(found, implied) {
				found = append(found, implied)
			}
		}
	}
	return found[1:]
}
