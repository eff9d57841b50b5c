package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// String returns what r requires, as a table or a log shows it: "public", "denied",
// "a valid token", or for instance "orders:read and (orders:export or admin), a user,
// acr gold".
func (r Rule) String() string {
	switch {
	case r.denies():
		return "denied"
	case r.Public:
		return "public"
	}
	var parts []string
	add := func(format string, values ...any) { parts = append(parts, fmt.Sprintf(format, values...)) }
	if scopes := r.scopesText(); scopes != "" {
		add("%s", scopes)
	}
	if r.Party != token.PartyUnknown {
		add("a %s", r.Party)
	}
	if len(r.Actors) > 0 {
		add("through %s", actorsText(r.Actors))
	}
	if r.NoActor {
		add("no actor")
	}
	for _, condition := range r.Claims {
		add("%s", condition.text())
	}
	if r.Condition != "" {
		add("if %s", r.Condition)
	}
	if r.Question != nil {
		add("a decision about %s %s", r.Question.Resource.Type, r.Question.Resource.ID)
	}
	if len(r.ACRValues) > 0 {
		add("acr %s", strings.Join(r.ACRValues, "|"))
	}
	if r.MaxAge != 0 {
		add("authenticated within %s", r.MaxAge)
	}
	if r.Proof != ProofAllowed {
		add("proof %s", r.Proof)
	}
	if len(parts) == 0 {
		return "a valid token"
	}
	return strings.Join(parts, ", ")
}

// scopesText is "a and b and (c or d) and (e and f or g)".
func (r Rule) scopesText() string {
	terms := slices.Clone(r.Scopes)
	for _, alternatives := range [][]string{r.AnyScopes, setTexts(r.AnyScopeSets)} {
		text := strings.Join(alternatives, " or ")
		isAlone := len(r.Scopes) == 0 && (len(r.AnyScopes) == 0 || len(r.AnyScopeSets) == 0)
		switch {
		case len(alternatives) == 0:
		case len(alternatives) == 1 || isAlone:
			terms = append(terms, text)
		default:
			terms = append(terms, "("+text+")")
		}
	}
	return strings.Join(terms, " and ")
}

func setTexts(sets [][]string) []string {
	var texts []string
	for _, set := range sets {
		text := strings.Join(set, " and ")
		if len(set) > 1 && len(sets) > 1 {
			text = "(" + text + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func actorsText(actors []Actor) string {
	var texts []string
	for _, actor := range actors {
		text := actor.Subject
		if actor.ClientID != "" {
			text += "[" + actor.ClientID + "]"
		}
		if actor.Issuer != "" {
			text += "@" + actor.Issuer
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "|")
}

// clone returns a copy of r that shares no memory with it.
func (r Rule) clone() Rule {
	r.Scopes = slices.Clone(r.Scopes)
	r.AnyScopes = slices.Clone(r.AnyScopes)
	r.AnyScopeSets = slices.Clone(r.AnyScopeSets)
	for i, set := range r.AnyScopeSets {
		r.AnyScopeSets[i] = slices.Clone(set)
	}
	r.Claims = slices.Clone(r.Claims)
	for i, condition := range r.Claims {
		r.Claims[i] = ClaimCondition{Path: slices.Clone(condition.Path), AnyOf: slices.Clone(condition.AnyOf)}
	}
	r.Question = r.Question.clone()
	r.ACRValues = slices.Clone(r.ACRValues)
	r.Actors = slices.Clone(r.Actors)
	return r
}
