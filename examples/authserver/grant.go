package authserver

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	ticketLifetime = time.Minute
	maxTickets     = 1000
)

// grant is what a client has requested and, once approved, is granted.
type grant struct {
	clientID string
	subject  string
	resource string
	scopes   []string

	// The rest is for the authorization code grant alone.
	redirectURI string
	state       string
	challenge   oidc.CodeChallenge
}

// grants keeps the grants of pending authorization requests, each under a ticket:
// first the identifier of the login, then the code. A ticket is valid once and for a
// minute.
type grants struct {
	mu      sync.Mutex
	tickets map[string]ticket
}

type ticket struct {
	grant   grant
	purpose purpose
	expiry  time.Time
}

// purpose distinguishes a ticket of the login from a code.
type purpose int

const (
	forLogin purpose = iota
	forToken
)

func newGrants() *grants { return &grants{tickets: make(map[string]ticket)} }

// put keeps g and returns the ticket for it, or false if too many are kept.
func (gs *grants) put(p purpose, g grant) (string, bool) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	now := time.Now()
	for id, t := range gs.tickets {
		if now.After(t.expiry) {
			delete(gs.tickets, id)
		}
	}
	if len(gs.tickets) >= maxTickets {
		return "", false
	}
	id := rand.Text()
	gs.tickets[id] = ticket{grant: g, purpose: p, expiry: now.Add(ticketLifetime)}
	return id, true
}

// take returns the grant of a ticket and invalidates the ticket.
func (gs *grants) take(p purpose, id string) (grant, bool) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	t, ok := gs.tickets[id]
	if !ok || t.purpose != p {
		return grant{}, false
	}
	delete(gs.tickets, id)
	return t.grant, time.Now().Before(t.expiry)
}
