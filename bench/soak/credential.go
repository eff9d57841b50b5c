package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// form is what the Authorization field of a request looks like.
type form uint8

const (
	formBearer    form = iota
	formNone           // nothing, or another scheme
	formMalformed      // a field that violates RFC 6750 §2.1, or two of them
)

// A credential is what a call sends to prove who it is, and the facts that an
// answer depends on.
type credential struct {
	name     string   // in the report
	values   []string // of the Authorization field
	form     form
	broken   bool // never valid, whatever keys the verifier has
	forged   bool // not signed with the key that it names
	bound    bool // to a key that no caller proves to have
	keyID    string
	subject  string
	scopes   []string
	audience []string
	expiry   time.Time // zero if it is not a token
}

// The names of credentials in the report, in its order.
var credentialNames = []string{
	"good", "good, older key", "short-lived", "wrong audience", "bound", "forged", "tampered", "stolen issuer",
	"other issuer", "expired", "not yet valid", "alg none", "HS256", "typ JWT", "garbage",
	"none", "Basic", "malformed", "repeated",
}

// scopeSets are the scopes of good tokens.
var scopeSets = []string{
	"", scopeRead, scopeWrite, scopeRead + " " + scopeAudit, scopeAdmin, scopeAdmin + " " + scopeRead,
	scopeRead + " " + scopeWrite + " " + scopeAudit + " " + scopeAdmin, "elsewhere",
}

const allScopes = scopeRead + " " + scopeWrite + " " + scopeAudit + " " + scopeAdmin

// pools is how many pools are kept, so that tokens of older keys are used, too.
const (
	keptPools  = 5
	keptShorts = 8
)

// A pool holds the credentials that were minted with one signing key.
type pool struct {
	good   []*credential // for each set of scopes, and each audience
	others []*credential
}

// mint makes credentials. One goroutine adds to the pools; workers draw from them.
type mint struct {
	issuer, stranger *authtest.Issuer
	audiences        []string // the resources
	subjects         atomic.Int64

	pools  atomic.Pointer[[]*pool]       // the newest last
	shorts atomic.Pointer[[]*credential] // the newest last
}

// leeway is that of the verifier. A token is refused from exp plus the leeway.
const leeway = time.Nanosecond

// token mints an access token. Its facts are read from it, as it was signed.
func (m *mint) token(name string, issuer *authtest.Issuer, t authtest.Token) *credential {
	c := &credential{name: name, subject: fmt.Sprintf("subject-%d", m.subjects.Add(1)), audience: t.Audience}
	t.Subject = c.subject
	raw := issuer.Mint(t)
	var header struct {
		KeyID string `json:"kid"`
	}
	var claims struct {
		Expiry int64  `json:"exp"`
		Scope  string `json:"scope"`
	}
	segments := strings.Split(raw, ".")
	for i, part := range []any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err == nil {
			err = json.Unmarshal(data, part)
		}
		if err != nil {
			panic(fmt.Sprintf("soak: a token that was just minted: %v", err))
		}
	}
	c.keyID, c.expiry = header.KeyID, time.Unix(claims.Expiry, 0).Add(leeway)
	c.scopes = strings.Fields(claims.Scope)
	c.values = []string{"Bearer " + raw}
	return c
}

// renew mints a pool with the present key of the issuer.
func (m *mint) renew() {
	p := new(pool)
	for _, audience := range [][]string{m.audiences[:1], m.audiences[1:], m.audiences} {
		for _, scope := range scopeSets {
			p.good = append(p.good, m.token("good", m.issuer, authtest.Token{Audience: audience, Scope: scope}))
		}
	}
	p.others = append(m.refused(), m.without()...)
	var list []*pool
	if previous := m.pools.Load(); previous != nil {
		for _, old := range (*previous)[max(0, len(*previous)-keptPools+1):] {
			list = append(list, old.aged())
		}
	}
	list = append(list, p)
	m.pools.Store(&list)
}

// aged returns a pool whose good tokens are named as those of an older key.
func (p *pool) aged() *pool {
	older := &pool{others: p.others, good: make([]*credential, len(p.good))}
	for i, c := range p.good {
		renamed := *c
		renamed.name = "good, older key"
		older.good[i] = &renamed
	}
	return older
}

// refused mints one token of each kind that is not accepted.
func (m *mint) refused() []*credential {
	good := authtest.Token{Audience: m.audiences, Scope: allScopes}
	broken := func(name string, issuer *authtest.Issuer, change func(*authtest.Token)) *credential {
		t := good
		change(&t)
		c := m.token(name, issuer, t)
		c.broken = true
		return c
	}
	tampered := m.token("tampered", m.issuer, good)
	tampered.values, tampered.forged = []string{authtest.Tamper(tampered.values[0])}, true
	forged := m.token("forged", m.issuer, authtest.Token{Audience: m.audiences, Scope: allScopes, Forged: true})
	forged.forged = true
	stolen := m.token("stolen issuer", m.stranger, authtest.Token{
		Audience: m.audiences, Scope: allScopes, Claims: map[string]any{"iss": m.issuer.URL},
	})
	stolen.forged = true
	bound := m.token("bound", m.issuer, authtest.Token{
		Audience: m.audiences, Scope: allScopes, Claims: map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
	})
	bound.bound = true
	return []*credential{
		tampered, forged, stolen, bound,
		m.token("wrong audience", m.issuer, authtest.Token{Audience: []string{"https://elsewhere.example.com"}, Scope: allScopes}),
		broken("other issuer", m.stranger, func(*authtest.Token) {}),
		broken("expired", m.issuer, func(t *authtest.Token) { t.Lifetime = -time.Hour }),
		broken("not yet valid", m.issuer, func(t *authtest.Token) {
			t.Claims = map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}
		}),
		broken("alg none", m.issuer, func(t *authtest.Token) { t.Algorithm = "none" }),
		broken("HS256", m.issuer, func(t *authtest.Token) { t.Algorithm = "HS256" }),
		broken("typ JWT", m.issuer, func(t *authtest.Token) { t.Header = map[string]any{"typ": "JWT"} }),
	}
}

// without returns what is not a token.
func (m *mint) without() []*credential {
	good := m.token("repeated", m.issuer, authtest.Token{Audience: m.audiences, Scope: allScopes}).values[0]
	return []*credential{
		{name: "garbage", values: []string{"Bearer garbage"}, broken: true},
		{name: "none", form: formNone},
		{name: "Basic", form: formNone, values: []string{"Basic YWRhOnNlY3JldA=="}},
		{name: "malformed", form: formMalformed, values: []string{"Bearer a b"}},
		{name: "repeated", form: formMalformed, values: []string{good, good}},
	}
}

// renewShorts adds a token that expires within two seconds.
func (m *mint) renewShorts() {
	c := m.token("short-lived", m.issuer, authtest.Token{Audience: m.audiences, Scope: allScopes, Lifetime: 2 * time.Second})
	var list []*credential
	if previous := m.shorts.Load(); previous != nil {
		list = append(list, (*previous)[max(0, len(*previous)-keptShorts+1):]...)
	}
	list = append(list, c)
	m.shorts.Store(&list)
}

// draw returns a credential, a good one most of the time.
func (m *mint) draw(rng *rand.Rand) *credential {
	pools := *m.pools.Load()
	p := pools[len(pools)-1]
	if rng.IntN(4) == 0 {
		p = pools[rng.IntN(len(pools))]
	}
	switch n := rng.IntN(20); {
	case n < 12:
		return p.good[rng.IntN(len(p.good))]
	case n < 14:
		shorts := *m.shorts.Load()
		return shorts[rng.IntN(len(shorts))]
	default:
		return p.others[rng.IntN(len(p.others))]
	}
}

// short returns the token with the most time left.
func (m *mint) short() *credential {
	shorts := *m.shorts.Load()
	return shorts[len(shorts)-1]
}
