package verifier

import (
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4/json"
)

var errNotString = errors.New("must be a string")

// An object is a JSON object of a token, with its values as encoding/json
// decodes them into an any.
//
// It is decoded with the JSON package of go-jose, which matches names in their
// exact case and refuses an object with a duplicate name at any depth (RFC 7519
// §4). With encoding/json and struct tags, "AUD" would override "aud", and
// another library would read something else in the same token.
type object map[string]any

func parseObject(data []byte) (object, error) {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, fmt.Errorf("not JSON: %s", quote(err.Error()))
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

func (o object) has(name string) bool {
	_, ok := o[name]
	return ok
}

// text returns a member that must be a string, or "" if it is absent.
func (o object) text(name string) (string, error) {
	text, ok := o[name].(string)
	if !ok && o.has(name) {
		return "", fmt.Errorf("%s: %w", name, errNotString)
	}
	return text, nil
}

// requiredText returns a member that must be a non-empty string.
func (o object) requiredText(name string) (string, error) {
	text, err := o.text(name)
	if err == nil && text == "" {
		err = fmt.Errorf("%s is missing or empty", name)
	}
	return text, err
}

// texts returns a member that is an array of strings, or a string that split
// splits.
func (o object) texts(name string, split func(string) []string) ([]string, error) {
	switch value := o[name].(type) {
	case string:
		return split(value), nil
	case []any:
		return toStrings(name, value)
	default:
		return nil, fmt.Errorf("%s: must be a string or an array of strings", name)
	}
}

func toStrings(name string, values []any) ([]string, error) {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("%s: every element %w", name, errNotString)
		}
		texts = append(texts, text)
	}
	return texts, nil
}
