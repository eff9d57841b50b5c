package authzen

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// A claim is the path to a claim of the token: its name, and the names of the members inside
// of it.
type claim []string

// find returns the claim, or false if the token does not have it, or has null.
func (c claim) find(d *draft) (any, bool) {
	found := any(d.in.Info.Claims)
	for _, name := range c {
		object, ok := found.(map[string]any)
		if !ok {
			return nil, false
		}
		found = object[name]
	}
	return found, found != nil
}

func (c claim) appendJSON(b []byte, d *draft) ([]byte, bool, error) {
	found, ok := c.find(d)
	if !ok {
		return b, false, nil
	}
	if text, isText := found.(string); isText {
		b, err := appendText(b, text)
		return b, true, err
	}
	if !isUTF8(found) {
		return b, false, errNotUTF8
	}
	b, err := appendAny(b, found)
	return b, true, err
}

// maxExact is the bound below which a float64, which is what encoding/json makes of a number,
// is the integer that was written.
const maxExact = 1 << 53

func (c claim) appendID(b []byte, d *draft) ([]byte, error) {
	found, ok := c.find(d)
	if !ok {
		return b, errAbsent
	}
	switch found := found.(type) {
	case string:
		return appendIDText(b, found)
	case json.Number:
		if number, err := strconv.ParseInt(found.String(), 10, 64); err == nil {
			return appendIDNumber(b, number), nil
		}
	case float64:
		if number := int64(found); -maxExact < found && found < maxExact && float64(number) == found {
			return appendIDNumber(b, number), nil
		}
	}
	return b, errNotText
}

func appendIDNumber(b []byte, number int64) []byte {
	b = append(b, '"')
	b = strconv.AppendInt(b, number, 10)
	return append(b, '"')
}

func (claim) needsMessage() bool { return false }

// isUTF8 reports whether every text in a value is UTF-8, as in everything that encoding/json
// decodes.
func isUTF8(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, element := range v {
			if !isUTF8(element) {
				return false
			}
		}
	case map[string]any:
		for name, element := range v {
			if !utf8.ValidString(name) || !isUTF8(element) {
				return false
			}
		}
	case []string:
		for _, element := range v {
			if !utf8.ValidString(element) {
				return false
			}
		}
	}
	return true
}
