package wwwauth_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

func TestCleanDescription(t *testing.T) {
	t.Parallel()
	tests := []struct{ id, name, in, want string }{
		{"R6750-3.c", "empty", "", ""},
		{"R6750-3.c", "allowed as it is", "The access token expired!", "The access token expired!"},
		{"R6750-3.c", "quote", `say "a"`, `say 'a'`},
		{"R6750-3.c", "backslash", `a\b`, `a?b`},
		{"R6750-3.c", "controls", "a\r\n\t\x00\x1f\x7fb", "a      b"},
		{"R6750-3.c", "one mark for a character above ASCII", "naïve €", "na?ve ?"},
		{"R6750-3.c", "bytes that are not UTF-8", "a\xff\xc3b", "a??b"},
	}
	for _, tt := range tests {
		t.Run(tt.id+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := wwwauth.CleanDescription(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestCharactersOfRFC6750 checks every byte against the ranges of RFC 6750 §3.
func TestCharactersOfRFC6750(t *testing.T) {
	t.Parallel()
	for i := range 0x100 {
		c := byte(i)
		s := string([]byte{c})
		scopeChar := c == 0x21 || 0x23 <= c && c <= 0x5B || 0x5D <= c && c <= 0x7E
		textChar := c == 0x20 || scopeChar
		if got := wwwauth.ValidScopeToken(s); got != scopeChar {
			t.Errorf("R6750-3.c: ValidScopeToken(%q) = %v, want %v", s, got, scopeChar)
		}
		if got := wwwauth.CleanDescription(s) == s; got != textChar {
			t.Errorf("R6750-3.c: CleanDescription keeps %q: %v, want %v", s, got, textChar)
		}
	}
}

func TestValidScopeToken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id, token string
		want      bool
	}{
		{"R6750-3.c", "inventory:read", true},
		{"R6750-3.c", "https://www.example.com/auth/drive.file", true},
		{"R6750-3.c", "", false},
		{"R6750-3.c", "a b", false},
		{"R6750-3.c", `a"b`, false},
		{"R6750-3.c", `a\b`, false},
		{"R6750-3.c", "é", false},
	}
	for _, tt := range tests {
		t.Run(tt.id+" "+tt.token, func(t *testing.T) {
			t.Parallel()
			if got := wwwauth.ValidScopeToken(tt.token); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// clean returns the value of a parameter as Append promises to write it. It is
// implemented independently of Append.
func clean(name, value string) string {
	switch strings.ToLower(name) {
	case "error", "error_description", "error_uri", "scope":
		return wwwauth.CleanDescription(value)
	}
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' {
			return r
		}
		return rune(wwwauth.CleanDescription(string(r))[0])
	}, value)
}
