package explain

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxActors bounds the chain of actors, as a verifier does.
const maxActors = 8

func (c claims) text(name string) (string, error) {
	value, ok := c[name]
	if !ok {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s: must be a string", name)
	}
	return text, nil
}

// texts returns an array of strings, or a string that split splits.
func (c claims) texts(name string, split func(string) []string) ([]string, error) {
	wrong := fmt.Errorf("%s: must be a string or an array of strings", name)
	switch value := c[name].(type) {
	case string:
		return split(value), nil
	case []any:
		var texts []string
		for _, element := range value {
			text, ok := element.(string)
			if !ok {
				return nil, wrong
			}
			texts = append(texts, text)
		}
		return texts, nil
	default:
		if _, ok := c[name]; ok {
			return nil, wrong
		}
		return nil, nil
	}
}

// latest is the last second that a verifier accepts, 9999-12-31T23:59:59Z.
const latest = 253402300799

// date returns a NumericDate (RFC 7519 §2).
func (c claims) date(name string) (time.Time, error) {
	value, ok := c[name]
	if !ok {
		return time.Time{}, nil
	}
	seconds, ok := value.(float64)
	if isDate := seconds >= 0 && seconds <= latest; !ok || !isDate { // not so for NaN
		return time.Time{}, fmt.Errorf("%s: must be a number of seconds", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

func (c claims) object(name string) (map[string]any, error) {
	value, ok := c[name]
	if !ok {
		return nil, nil //nolint:nilnil // There is none.
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: must be a JSON object", name)
	}
	return members, nil
}

// client returns the first of the claims in which issuers name the client. The last two are
// registered nowhere, so one that is not a string is some other claim.
func (c claims) client() (string, error) {
	for _, name := range []string{"client_id", "azp"} {
		if id, err := c.text(name); err != nil || id != "" {
			return id, err
		}
	}
	for _, name := range []string{"cid", "appid"} {
		if id, _ := c[name].(string); id != "" {
			return id, nil
		}
	}
	return "", nil
}

// actor returns the act claim (RFC 8693 §4.1).
func (c claims) actor(depth int) (*token.Actor, error) {
	members, err := c.object("act")
	switch {
	case err != nil:
		return nil, err
	case members == nil:
		return nil, nil //nolint:nilnil // There is none.
	case depth == maxActors:
		return nil, fmt.Errorf("act: more than %d actors", maxActors)
	}
	act := claims(members)
	found := new(token.Actor)
	if found.Issuer, err = act.text("iss"); err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	if found.Subject, err = act.text("sub"); err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	if found.ClientID, err = act.client(); err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	if found.Subject == "" && found.ClientID == "" {
		return nil, errors.New("act: names no actor")
	}
	found.Actor, err = act.actor(depth + 1)
	return found, err
}
