// Package explain judges a caller by a policy, and says which part of a rule decided.
package explain

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/go-jose/go-jose/v4/json"
)

// A Caller is whom a decision is about.
type Caller struct {
	// Info holds the facts of the token. Nil means that there is none.
	Info *token.Info
	// Notes say what a server would judge besides, and what was made of the claims.
	Notes []string
}

// maxClaims bounds the size of the claims, as a token is bounded.
const maxClaims = 1 << 20

// FromScopes returns a caller whose token has scopes, separated by spaces, and nothing
// else.
func FromScopes(scopes string) (Caller, error) {
	info := &token.Info{Scopes: strings.Fields(scopes)}
	for _, scope := range info.Scopes {
		if !isScope(scope) {
			return Caller{}, fmt.Errorf("%q is not a scope (RFC 6749 §3.3)", scope)
		}
	}
	return Caller{Info: info, Notes: []string{"with --scopes alone, the token says nothing about a user, a client, claims or authentication"}}, nil
}

// FromClaims returns the caller whose access token has claims, which are a JSON object. The
// claims become facts as the zero verifier.Mapping makes them, except that all of them are
// kept, and that those which a verifier requires may be missing.
func FromClaims(data []byte, now time.Time) (Caller, error) {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) > maxClaims:
		return Caller{}, fmt.Errorf("is larger than %d bytes", maxClaims)
	case bytes.Count(data, []byte(".")) == 2 && !bytes.HasPrefix(data, []byte("{")):
		return Caller{}, errors.New("is a token, not its claims: decode the middle part of it")
	}
	var claims claims
	// Names match in their exact case, and none is there twice, as in a verifier.
	if err := json.Unmarshal(data, &claims); err != nil {
		return Caller{}, fmt.Errorf("is not a JSON object of claims: %w", err)
	}
	if claims == nil {
		return Caller{}, errors.New("is not a JSON object of claims")
	}
	info, err := claims.info()
	if err != nil {
		return Caller{}, err
	}
	return Caller{Info: info, Notes: notes(claims, info, now)}, nil
}

func notes(claims claims, info *token.Info, now time.Time) []string {
	var notes []string
	for _, name := range []string{"iss", "sub", "aud"} {
		if _, ok := claims[name]; !ok {
			notes = append(notes, name+" is missing: a verifier refuses such a token, unless it is configured to accept it")
		}
	}
	if info.Expired(now) {
		notes = append(notes, "exp was at "+info.Expiry.UTC().Format(time.RFC3339)+": a server refuses the token, which is not judged here")
	}
	return notes
}

// claims are those of a token.
type claims map[string]any

func (c claims) info() (*token.Info, error) {
	info := &token.Info{Claims: c}
	var err error
	for name, field := range map[string]*string{"iss": &info.Issuer, "sub": &info.Subject, "sid": &info.SessionID} {
		if *field, err = c.text(name); err != nil {
			return nil, err
		}
	}
	for name, field := range map[string]*time.Time{"exp": &info.Expiry, "iat": &info.IssuedAt} {
		if *field, err = c.date(name); err != nil {
			return nil, err
		}
	}
	if info.ClientID, err = c.client(); err != nil {
		return nil, err
	}
	if info.Audience, err = c.texts("aud", func(value string) []string { return []string{value} }); err != nil {
		return nil, err
	}
	if info.Scopes, err = c.scopes(); err != nil {
		return nil, err
	}
	if info.Actor, err = c.actor(0); err != nil {
		return nil, err
	}
	if info.Confirmation, err = c.object("cnf"); err != nil {
		return nil, err
	}
	info.Party = partyOf(info)
	// As in a verifier, one of these that cannot be read is as good as none.
	info.ACR, _ = c["acr"].(string)
	info.AuthTime, _ = c.date("auth_time")
	return info, nil
}

// partyOf compares the subject with the client (RFC 9068 §2.2).
func partyOf(info *token.Info) token.Party {
	switch {
	case info.Subject == "" || info.ClientID == "":
		return token.PartyUnknown
	case info.Subject == info.ClientID:
		return token.PartyClient
	default:
		return token.PartyUser
	}
}

// scopes returns those of scope, or else of scp (Entra, Okta).
func (c claims) scopes() ([]string, error) {
	for _, name := range []string{"scope", "scp"} {
		if _, ok := c[name]; !ok {
			continue
		}
		scopes, err := c.texts(name, strings.Fields)
		return slices.DeleteFunc(scopes, func(scope string) bool { return !isScope(scope) }), err
	}
	return nil, nil
}

// isScope reports whether text is a scope-token (RFC 6749 §3.3).
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}
