package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors of answers complete a sentence that begins with "the answer". They hold nothing of
// the answer itself.
var (
	errNotObject  = errors.New("is not a JSON object")
	errNotArray   = errors.New("has no evaluations that are an array")
	errNoDecision = errors.New("has no decision that is a boolean")
	errTwice      = errors.New("has a member twice")
)

// parseDecision returns the decision in an answer to one question (AuthZEN §5.5). Members
// that it does not know have no effect (§10.1.2), and neither has the context: what a policy
// decision point wants to have enforced beside its decision is not enforced.
func parseDecision(body []byte) (bool, error) {
	value, err := member(body, "decision")
	if err != nil {
		return false, err
	}
	switch string(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, errNoDecision
	}
}

// parseDecisions returns whether everything is allowed, in an answer to a list of questions
// with the semantic deny_on_first_deny (AuthZEN §7.2). Such an answer may end with the first
// denial. One without a denial has to have a decision about each.
func parseDecisions(body []byte, elements int) (bool, error) {
	list, err := member(body, "evaluations")
	if err != nil {
		return false, err
	}
	var decisions []json.RawMessage
	if err := json.Unmarshal(list, &decisions); err != nil || list[0] != '[' {
		return false, errNotArray
	}
	if len(decisions) > elements {
		return false, fmt.Errorf("has %d evaluations, %d were asked for", len(decisions), elements)
	}
	allowed := true
	for _, decision := range decisions {
		one, err := parseDecision(decision)
		if err != nil {
			return false, err
		}
		allowed = allowed && one
	}
	if allowed && len(decisions) != elements {
		return false, fmt.Errorf("has %d evaluations and denies nothing, %d were asked for", len(decisions), elements)
	}
	return allowed, nil
}

// member returns the value of a member of a JSON object, nil if it has none. It refuses an
// object that another reader could take for a different one (RFC 7493 §2.3): with a name that
// is there twice, or with one that differs from name in its case.
func member(object []byte, name string) (json.RawMessage, error) {
	if !utf8.Valid(object) || !json.Valid(object) {
		return nil, errNotObject
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, errNotObject
	}
	var found json.RawMessage
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		key, isText := token.(string)
		var value json.RawMessage
		if err = errors.Join(err, decoder.Decode(&value)); err != nil || !isText {
			return nil, errNotObject
		}
		switch {
		case seen[key]:
			return nil, errTwice
		case key == name:
			found = value
		case strings.EqualFold(key, name):
			return nil, errors.New("has a member that differs from " + name + " in its case")
		}
		seen[key] = true
	}
	return found, nil
}
