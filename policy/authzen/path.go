package authzen

import (
	"errors"
	"strings"
	"unicode/utf8"
)

var errPathSyntax = errors.New("is neither a path such as request.account_id nor a text in single quotes")

// parsePath splits a path into its names: token.claims.tenant, or, where a name is none that
// stands after a dot, token.claims['https://example.com/tenant'].
func parsePath(path string) ([]string, error) {
	var names []string
	for first := true; path != ""; first = false {
		var name string
		if rest, isQuoted := strings.CutPrefix(path, "['"); isQuoted && !first {
			var closed bool
			if name, path, closed = strings.Cut(rest, "']"); !closed {
				return nil, errPathSyntax
			}
		} else {
			if !first {
				if path[0] != '.' {
					return nil, errPathSyntax
				}
				path = path[1:]
			}
			end := strings.IndexFunc(path, func(r rune) bool { return !isNameCharacter(r) })
			if end < 0 {
				end = len(path)
			}
			name, path = path[:end], path[end:]
		}
		if name == "" || !utf8.ValidString(name) || strings.Contains(name, "'") {
			return nil, errPathSyntax
		}
		names = append(names, name)
	}
	if names == nil {
		return nil, errPathSyntax
	}
	return names, nil
}

func isNameCharacter(r rune) bool {
	return r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// parseLiteral returns the text in single quotes that value is.
func parseLiteral(value string) (text string, ok bool) {
	if len(value) < len("''") || value[0] != '\'' || value[len(value)-1] != '\'' {
		return "", false
	}
	text = value[1 : len(value)-1]
	return text, utf8.ValidString(text) && !strings.Contains(text, "'")
}
