package verifier

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// The defaults and bounds of cut-offs.
const (
	defaultMaxCutoffs     = 100_000
	defaultCutoffLifetime = 24 * time.Hour
	maxCutoffLead         = maxLeeway // The clock of an issuer may be that far ahead.
)

var _ token.RevocationChecker = (*Verifier)(nil)

// ErrCutoffsFull is the error of [Verifier.CutOff] if no more cut-offs can be held, or no
// more of the issuer: where there are several, one has at most half of [Config].MaxCutoffs,
// because its logout tokens are its own affair. None was dropped.
var ErrCutoffsFull = errors.New("verifier: no more cut-offs can be held: see MaxCutoffs")

// errCutOff is the reason against a token that was cut off.
var errCutOff = errors.New("its user, session or client was cut off after it was issued")

// A Cutoff revokes the tokens of a user, of a session, or of a client that were issued
// until an instant. A program sets one when it learns of a revocation, for instance from
// a message queue. [Verifier.LogoutHandler] sets one for each logout token.
type Cutoff struct {
	// Issuer is the issuer of the tokens: that of one tenant, where an issuer stands for
	// several. Required.
	Issuer string
	// Subject, SessionID and ClientID say whose tokens are revoked, by the facts of
	// that name in [token.Info]. One is required, and no more, except that Subject beside
	// SessionID stands for the tokens of the session and for those of the subject that
	// name no session. Tokens with which they act for others are those of the others.
	Subject, SessionID, ClientID string
	// Until is the instant: a token is revoked if its iat is not after it, or absent. It
	// is compared with the clock of the issuer, which may be ahead of that of this
	// machine: add the difference that is tolerated, if that matters. iat usually is in
	// whole seconds, so a token that is issued later within the same second is revoked,
	// too. Until must not be more than 5 minutes from now. Zero means now.
	Until time.Time
}

// CutOff revokes tokens, at once: known tokens are refused, and open streams end with
// their next message. A later cut-off of the same tokens replaces an earlier one, never
// the other way round. It is kept for [Config].CutoffLifetime. An error means that
// nothing is revoked: it is [ErrCutoffsFull], or says what is wrong with c. It is safe
// for concurrent use.
//
// A cut-off belongs to v. Where v is replaced by another Verifier, or stands beside
// others, each of them needs it.
func (v *Verifier) CutOff(c Cutoff) error {
	now := v.front.now()
	if c.Until.IsZero() {
		c.Until = now
	}
	keys, err := c.keys()
	switch {
	case err != nil:
		return err
	case !v.front.router.mayHaveIssued(c.Issuer):
		return fmt.Errorf("verifier: Cutoff.Issuer %.256q is not one of the verifier", c.Issuer)
	case c.Until.Sub(now) > maxCutoffLead:
		return fmt.Errorf("verifier: Cutoff.Until is %s from now, and tokens that are issued until then would be refused", c.Until.Sub(now).Round(time.Second))
	default:
		return v.front.cutoffs.set(keys, c.Until, now)
	}
}

// Revoked reports whether a cut-off revokes the token that info holds the facts of. It
// implements [token.RevocationChecker].
func (v *Verifier) Revoked(info *token.Info) bool { return v.front.cutoffs.refuses(info) }

// A cutoffKey names what is cut off.
type cutoffKey struct {
	issuer string
	kind   byte // one of those below
	name   string
}

// The kinds of names that tokens are cut off by.
const (
	ofSubject   = 's'
	ofSession   = 'i'
	ofClient    = 'c'
	ofNoSession = 'n' // a subject, of tokens that name no session
)

func (c *Cutoff) keys() ([]cutoffKey, error) {
	switch {
	case c.ClientID != "" && c.SessionID == "" && c.Subject == "":
		return []cutoffKey{{c.Issuer, ofClient, c.ClientID}}, nil
	case c.ClientID != "":
	case c.SessionID != "" && c.Subject != "":
		return []cutoffKey{{c.Issuer, ofSession, c.SessionID}, {c.Issuer, ofNoSession, c.Subject}}, nil
	case c.SessionID != "":
		return []cutoffKey{{c.Issuer, ofSession, c.SessionID}}, nil
	case c.Subject != "":
		return []cutoffKey{{c.Issuer, ofSubject, c.Subject}}, nil
	}
	return nil, errors.New("verifier: Cutoff needs a Subject, a SessionID, both, or a ClientID alone")
}

// cutoffs are those that are held. Without any, looking costs an atomic read.
type cutoffs struct {
	limit    int
	share    int // of one issuer
	lifetime time.Duration
	held     atomic.Int64

	mu    sync.RWMutex
	until map[cutoffKey]time.Time
	of    map[string]int // how many an issuer has
	swept time.Time
}

func newCutoffs(config Config) *cutoffs {
	c := &cutoffs{
		limit: config.MaxCutoffs, share: config.MaxCutoffs, lifetime: config.CutoffLifetime,
		until: make(map[cutoffKey]time.Time), of: make(map[string]int),
	}
	isOne := len(config.JWT)+len(config.Introspection) == 1 && (len(config.JWT) == 0 || !uri.IsPattern(config.JWT[0].Issuer))
	if !isOne {
		c.share = max(1, c.limit/2)
	}
	return c
}

// fits reports whether an issuer may have more cut-offs.
func (c *cutoffs) fits(issuer string, more int) bool {
	return len(c.until)+more <= c.limit && c.of[issuer]+more <= c.share
}

// set adds a cut-off, all of it or nothing.
func (c *cutoffs) set(keys []cutoffKey, until, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	more := 0
	for _, key := range keys {
		if _, known := c.until[key]; !known {
			more++
		}
	}
	if issuer := keys[0].issuer; more > 0 && !c.fits(issuer, more) {
		c.sweep(now)
		if !c.fits(issuer, more) {
			return ErrCutoffsFull
		}
	}
	for _, key := range keys {
		previous, known := c.until[key]
		if !known {
			c.of[key.issuer]++
		}
		if !known || until.After(previous) {
			c.until[key] = until
		}
	}
	c.held.Store(int64(len(c.until)))
	return nil
}

// sweep removes the cut-offs that every token has outlived, at most once a second.
func (c *cutoffs) sweep(now time.Time) {
	if elapsed := now.Sub(c.swept); elapsed >= 0 && elapsed < time.Second {
		return
	}
	c.swept = now
	for key, until := range c.until {
		if now.Sub(until) > c.lifetime {
			delete(c.until, key)
			if c.of[key.issuer]--; c.of[key.issuer] == 0 {
				delete(c.of, key.issuer)
			}
		}
	}
	c.held.Store(int64(len(c.until)))
}

// refuses reports whether a token is cut off.
func (c *cutoffs) refuses(info *token.Info) bool {
	if c.held.Load() == 0 {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.covers(info, ofSubject, info.Subject) || c.covers(info, ofClient, info.ClientID) ||
		c.covers(info, ofSession, info.SessionID) || info.SessionID == "" && c.covers(info, ofNoSession, info.Subject)
}

func (c *cutoffs) covers(info *token.Info, kind byte, name string) bool {
	if name == "" {
		return false
	}
	until, ok := c.until[cutoffKey{info.Issuer, kind, name}]
	return ok && !info.IssuedAt.After(until)
}
