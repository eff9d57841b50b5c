package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// Actor is a party that a [Rule] lets act for the subject of a token. Every field
// that is set has to equal that of the actor in the token, byte for byte.
type Actor struct {
	// Issuer is the issuer of the actor's identity. Empty means the issuer of the
	// token, whichever that is: if tokens of several issuers open a resource, each of
	// them may name an actor with this Subject or ClientID, so set Issuer there.
	Issuer string
	// Subject and ClientID identify the actor, together with Issuer. At least one is
	// required.
	Subject, ClientID string
}

// identity is what a rule asks of the parties of a token: whom it speaks for, and
// who acts for the subject.
type identity struct {
	party   token.Party
	actors  []Actor
	noActor bool
}

// check returns nil, or the cause for which no further scope or authentication
// would help.
func (i *identity) check(info *token.Info) error {
	switch actor := info.Actor; {
	case i.party != token.PartyUnknown && i.party != info.Party:
		return fmt.Errorf("the party of the token is %v; the rule requires %v", info.Party, i.party)
	case actor == nil:
		return nil
	case i.noActor:
		return errors.New("the actor of the token is " + actorOf(info).text() + "; the rule allows none")
	case len(i.actors) > 0 && !i.allows(info):
		return errors.New("the actor of the token is " + actorOf(info).text() + "; the rule allows " + i.text(info.Issuer))
	default:
		return nil
	}
}

// allows reports whether a rule lets the current actor of a token act. Earlier
// actors are informative (RFC 8693 §4.1).
func (i *identity) allows(info *token.Info) bool {
	current := actorOf(info)
	return slices.ContainsFunc(i.actors, func(allowed Actor) bool {
		return current.Issuer == cmp.Or(allowed.Issuer, info.Issuer) &&
			(allowed.Subject == "" || current.Subject == allowed.Subject) &&
			(allowed.ClientID == "" || current.ClientID == allowed.ClientID)
	})
}

// actorOf returns the current actor of a token, with its issuer.
func actorOf(info *token.Info) Actor {
	return Actor{
		Issuer:  cmp.Or(info.Actor.Issuer, info.Issuer),
		Subject: info.Actor.Subject, ClientID: info.Actor.ClientID,
	}
}

// text names an actor in the log.
func (a Actor) text() string {
	return fmt.Sprintf("{issuer %.128q, subject %.128q, client %.128q}", a.Issuer, a.Subject, a.ClientID)
}

// text names the actors that a rule allows, as many as a record has room for.
func (i *identity) text(issuer string) string {
	var texts []string
	for _, actor := range i.actors {
		actor.Issuer = cmp.Or(actor.Issuer, issuer)
		texts = append(texts, actor.text())
	}
	return fmt.Sprintf("%.512s", strings.Join(texts, ", "))
}

// identity compiles Party, Actors and NoActor. It returns nil if a rule has none of
// them.
func (c *compiler) identity(where string, rule Rule) *identity {
	if !rule.hasIdentity() {
		return nil
	}
	if rule.Party > token.PartyClient {
		c.fault(where+".Party", strconv.Itoa(int(rule.Party)), "is not a party", "set token.PartyUser, token.PartyClient, or nothing")
	}
	if rule.NoActor && len(rule.Actors) > 0 {
		c.fault(where, "", "sets both NoActor and Actors", "set Actors to allow those alone, or NoActor to allow none")
	}
	for i, actor := range rule.Actors {
		place := fmt.Sprintf("%s.Actors[%d]", where, i)
		switch {
		case actor.Subject == "" && actor.ClientID == "":
			c.fault(place, "", "names no actor", "set Subject or ClientID")
		case slices.Contains(rule.Actors[:i], actor):
			c.fault(place, cmp.Or(actor.Subject, actor.ClientID), "is listed twice", "")
		}
	}
	return &identity{party: rule.Party, actors: slices.Clone(rule.Actors), noActor: rule.NoActor}
}

// forbidden returns the shortfall of a token that speaks for the wrong parties.
func forbidden(cause error) *ShortfallError {
	return &ShortfallError{Reason: challenge.ReasonForbidden, Cause: cause}
}
