// Package wwwauth builds and parses values of the WWW-Authenticate header field:
// the challenge syntax of RFC 9110 §11, with the character sets of RFC 6750 §3
// for the parameters of OAuth.
//
// A value that it builds is one line of visible ASCII and spaces, whatever its
// input. Parsing takes linear time.
package wwwauth

import "strings"

// A Challenge is one scheme with either a token68 or parameters (RFC 9110
// §11.3). Both may be absent.
type Challenge struct {
	// Scheme is the authentication scheme, such as "Bearer". It is
	// case-insensitive (RFC 9110 §11.1).
	Scheme string
	// Token68 is the bare string that schemes such as Negotiate send instead of
	// parameters.
	Token68 string
	// Params are the parameters in the order of the header.
	Params []Param
}

// A Param is one auth-param. Value is the value without quotes and escapes.
type Param struct {
	Name, Value string
}

// Get returns the value of the first parameter with a name, or "". Names are
// case-insensitive (RFC 9110 §11.2).
func (c Challenge) Get(name string) string {
	value, _ := c.lookup(name)
	return value
}

// lookup is Get, and also reports whether there is such a parameter.
func (c Challenge) lookup(name string) (value string, found bool) {
	for _, p := range c.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}
