package listing

import (
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A rule is a policy.Rule in the form of drawbridge.v1.Rule, with the names of its fields,
// so that it can be pasted into a policy file.
type rule struct {
	Public        bool             `json:"public,omitempty"`
	Denied        bool             `json:"denied,omitempty"`
	Reason        string           `json:"reason,omitempty"`
	Authenticated bool             `json:"authenticated,omitempty"`
	Scopes        []string         `json:"scopes,omitempty"`
	AnyScopes     []string         `json:"any_scopes,omitempty"`
	AnyScopeSets  []scopeSet       `json:"any_scope_sets,omitempty"`
	Claims        []claimCondition `json:"claims,omitempty"`
	Party         string           `json:"party,omitempty"`
	Actors        []actor          `json:"actors,omitempty"`
	NoActor       bool             `json:"no_actor,omitempty"`
	ACRValues     []string         `json:"acr_values,omitempty"`
	MaxAge        string           `json:"max_age,omitempty"`
	Proof         string           `json:"proof,omitempty"`
	Condition     string           `json:"condition,omitempty"`
	Question      *question        `json:"question,omitempty"`
}

type scopeSet struct {
	Scopes []string `json:"scopes"`
}

type claimCondition struct {
	Path  []string `json:"path"`
	AnyOf []string `json:"any_of"`
}

type actor struct {
	Issuer   string `json:"issuer,omitempty"`
	Subject  string `json:"subject,omitempty"`
	ClientID string `json:"client_id,omitempty"`
}

type question struct {
	Subject  *entity           `json:"subject,omitempty"`
	Action   string            `json:"action,omitempty"`
	Resource *entity           `json:"resource,omitempty"`
	Context  map[string]string `json:"context,omitempty"`
	CacheFor string            `json:"cache_for,omitempty"`
}

type entity struct {
	Type       string            `json:"type,omitempty"`
	ID         string            `json:"id,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

var (
	parties = map[token.Party]string{token.PartyUser: "PARTY_USER", token.PartyClient: "PARTY_CLIENT"}
	proofs  = map[policy.Proof]string{policy.ProofRequired: "PROOF_REQUIRED", policy.ProofRefused: "PROOF_REFUSED"}
)

func ruleOf(r policy.Rule) rule {
	converted := rule{
		Public: r.Public, Denied: r.Denied, Reason: r.Reason, Authenticated: r.Authenticated,
		Scopes: r.Scopes, AnyScopes: r.AnyScopes, Party: parties[r.Party], NoActor: r.NoActor,
		ACRValues: r.ACRValues, Proof: proofs[r.Proof], Condition: r.Condition,
	}
	for _, set := range r.AnyScopeSets {
		converted.AnyScopeSets = append(converted.AnyScopeSets, scopeSet{set})
	}
	for _, condition := range r.Claims {
		converted.Claims = append(converted.Claims, claimCondition{condition.Path, condition.AnyOf})
	}
	for _, a := range r.Actors {
		converted.Actors = append(converted.Actors, actor{a.Issuer, a.Subject, a.ClientID})
	}
	if r.MaxAge != 0 {
		converted.MaxAge = seconds(r.MaxAge)
	}
	if q := r.Question; q != nil {
		converted.Question = &question{Subject: entityOf(q.Subject), Action: q.Action, Resource: entityOf(q.Resource), Context: q.Context}
		if q.CacheFor != 0 {
			converted.Question.CacheFor = seconds(q.CacheFor)
		}
	}
	return converted
}

func entityOf(e policy.Entity) *entity {
	if e.Type == "" && e.ID == "" && len(e.Properties) == 0 {
		return nil
	}
	return &entity{e.Type, e.ID, e.Properties}
}
