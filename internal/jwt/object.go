package jwt

import (
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4/json"
)

// ErrNotString is the reason against a value that is not a string.
var ErrNotString = errors.New("must be a string")

// An Object is a JSON object of a token, with its values as encoding/json
// decodes them into an any.
//
// It is decoded with the JSON package of go-jose, which matches names in their
// exact case and refuses an object with a duplicate name at any depth (RFC 7519
// §4). With encoding/json and struct tags, "AUD" would override "aud", and
// another library would read something else in the same token.
type Object map[string]any

// ParseObject decodes a JSON object. The caller bounds it first, see [ScanObject].
func ParseObject(data []byte) (Object, error) {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, fmt.Errorf("not JSON: %s", Quote(err.Error()))
	}
	members, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

// Has reports whether o has a member, null included.
func (o Object) Has(name string) bool {
	_, ok := o[name]
	return ok
}

// Text returns a member that must be a string, or "" if it is absent.
func (o Object) Text(name string) (string, error) {
	text, ok := o[name].(string)
	if !ok && o.Has(name) {
		return "", fmt.Errorf("%s: %w", name, ErrNotString)
	}
	return text, nil
}

// RequiredText returns a member that must be a non-empty string.
func (o Object) RequiredText(name string) (string, error) {
	text, err := o.Text(name)
	if err == nil && text == "" {
		err = fmt.Errorf("%s is missing or empty", name)
	}
	return text, err
}

// Texts returns a member that is an array of strings, or a string that split
// splits.
func (o Object) Texts(name string, split func(string) []string) ([]string, error) {
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
			return nil, fmt.Errorf("%s: every element %w", name, ErrNotString)
		}
		texts = append(texts, text)
	}
	return texts, nil
}
