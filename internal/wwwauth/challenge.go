// Package wwwauth builds and parses the values of the WWW-Authenticate header
// field: the challenge syntax of RFC 9110 §11, with the character sets that
// RFC 6750 §3 adds for the parameters of OAuth.
//
// What it builds is always one line of visible ASCII and spaces, whatever it
// was given. What it parses it parses in linear time.
package wwwauth

import "strings"

// A Challenge is one scheme with either a token68 or parameters (RFC 9110
// §11.3). Both may be absent.
type Challenge struct {
	// Scheme names the authentication scheme, such as "Bearer". It is compared
	// without regard to case (RFC 9110 §11.1).
	Scheme string
	// Token68 is the bare credential-like string that older schemes such as
	// Negotiate send in place of parameters.
	Token68 string
	// Params are the parameters in the order of the header.
	Params []Param
}

// A Param is one auth-param. Value is the plain value, without quotes and
// escapes.
type Param struct {
	Name, Value string
}

// Get returns the value of the first parameter with that name, compared without
// regard to case (RFC 9110 §11.2), and "" if there is none.
func (c Challenge) Get(name string) string {
	value, _ := c.lookup(name)
	return value
}

// lookup tells a parameter with an empty value from one that is not there.
func (c Challenge) lookup(name string) (value string, found bool) {
	for _, p := range c.Params {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}
