package wwwauth

import (
	"fmt"
	"strings"
)

// Limits of [Parse], far above what servers send.
const (
	// MaxLength is the limit for the sum of the lengths of all values.
	MaxLength = 64 << 10
	// MaxParams is the limit for the parameters of one challenge. It keeps the
	// search for duplicates linear in the length of the input.
	MaxParams = 64
)

// A Reason is a fixed phrase for what is wrong with a value.
type Reason string

// The reasons for which [Parse] rejects its input.
const (
	TooLong            Reason = "longer than 64 KiB in total"
	TooManyParams      Reason = "more than 64 parameters in one challenge"
	NoName             Reason = "no scheme or parameter name where one must be"
	NoScheme           Reason = "parameter without a scheme before it"
	NoValue            Reason = "parameter without a value"
	NoSeparator        Reason = "no comma or space where one must be"
	DuplicateParam     Reason = "second parameter of the same name"
	ParamAfterToken68  Reason = "parameter after a token68"
	UnterminatedString Reason = "quoted-string without an end"
	ForbiddenByte      Reason = "control character in a quoted-string"
)

// A SyntaxError is the place and the reason of a syntax error. It quotes nothing
// of the value.
type SyntaxError struct {
	Line   int // index of the value among those passed to Parse
	Offset int // index of the offending byte in that value
	Reason Reason
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("www-authenticate: value %d, byte %d: %s", e.Line, e.Offset, e.Reason)
}

// Parse parses the values of all WWW-Authenticate lines of a message, in order.
// A value may hold several challenges (RFC 9110 §11.6.1). A challenge does not
// continue in the next value: no sender splits one, and a parameter must not
// become part of another sender's challenge.
//
// The values of parameters may be tokens or quoted-strings, list elements may be
// empty (RFC 9110 §5.6.1.2), and white space is allowed around commas and equals
// signs. Parse returns a *[SyntaxError] and no challenges for any other deviation
// from the grammar, and for a second parameter of the same name in a challenge.
func Parse(values []string) ([]Challenge, error) {
	var challenges []Challenge
	length := 0
	for line, value := range values {
		length += len(value)
		if length > MaxLength {
			return nil, &SyntaxError{Line: line, Reason: TooLong}
		}
		p := parser{input: value, line: line}
		if err := p.parseList(); err != nil {
			return nil, err
		}
		challenges = append(challenges, p.challenges...)
	}
	return challenges, nil
}

// A parser reads one value from left to right.
type parser struct {
	input      string
	line, pos  int
	challenges []Challenge // the last one takes the parameters that follow
}

// parseList parses #challenge. Challenges and the parameters of a challenge are
// both separated by commas, so both are parsed as one list, whose elements either
// begin a challenge or belong to the one before.
func (p *parser) parseList() error {
	for {
		p.skip(func(c byte) bool { return isSpace(c) || c == ',' })
		if p.atEnd() {
			return nil
		}
		if err := p.parseElement(); err != nil {
			return err
		}
		p.skip(isSpace)
		if !p.atEndOfElement() {
			return p.fail(p.pos, NoSeparator)
		}
	}
}

// parseElement parses a parameter, or a scheme and the rest up to the next comma.
// Only a parameter has an equals sign after its first token.
func (p *parser) parseElement() error {
	start := p.pos
	name := p.skip(isTokenChar)
	if name == "" {
		return p.fail(p.pos, NoName)
	}
	afterName := p.pos
	if p.skipEquals() {
		return p.parseParamValue(start, name)
	}
	p.pos = afterName
	p.challenges = append(p.challenges, Challenge{Scheme: name})
	spaces := p.skip(isSpace)
	switch {
	case p.atEndOfElement():
		return nil
	case spaces == "":
		return p.fail(p.pos, NoSeparator)
	case p.skipToken68():
		return nil
	default:
		return p.parseParam()
	}
}

// parseParam parses an auth-param (RFC 9110 §11.2).
func (p *parser) parseParam() error {
	start := p.pos
	name := p.skip(isTokenChar)
	if name == "" {
		return p.fail(p.pos, NoName)
	}
	if !p.skipEquals() {
		return p.fail(p.pos, NoValue)
	}
	return p.parseParamValue(start, name)
}

// parseParamValue parses the value of the parameter whose name begins at start,
// and adds the parameter to the last challenge.
func (p *parser) parseParamValue(start int, name string) error {
	if len(p.challenges) == 0 {
		return p.fail(start, NoScheme)
	}
	last := &p.challenges[len(p.challenges)-1]
	_, duplicate := last.lookup(name)
	switch {
	case last.Token68 != "":
		return p.fail(start, ParamAfterToken68)
	case len(last.Params) == MaxParams:
		return p.fail(start, TooManyParams)
	case duplicate:
		return p.fail(start, DuplicateParam)
	}
	value, err := p.parseValue()
	if err != nil {
		return err
	}
	last.Params = append(last.Params, Param{Name: name, Value: value})
	return nil
}

// parseValue parses token / quoted-string.
func (p *parser) parseValue() (string, error) {
	if !p.atEnd() && p.input[p.pos] == '"' {
		return p.parseQuotedString()
	}
	value := p.skip(isTokenChar)
	if value == "" {
		return "", p.fail(p.pos, NoValue)
	}
	return value, nil
}

// parseQuotedString parses a quoted-string (RFC 9110 §5.6.4) and returns its
// unescaped value.
func (p *parser) parseQuotedString() (string, error) {
	start := p.pos
	p.pos++
	var value strings.Builder
	value.WriteString(p.skip(isPlain))
	for ; !p.atEnd(); p.pos++ {
		c := p.input[p.pos]
		if c == '"' {
			p.pos++
			return value.String(), nil
		}
		if c == '\\' {
			p.pos++
			if p.atEnd() {
				break
			}
			c = p.input[p.pos]
		}
		if !isQuotable(c) {
			return "", p.fail(p.pos, ForbiddenByte)
		}
		value.WriteByte(c)
	}
	return "", p.fail(start, UnterminatedString)
}

// skipToken68 moves past a token68 that fills the rest of the element, records
// it, and reports whether there was one. By the grammar, `abc=` in `Scheme abc=`
// is a token68, not a parameter without a value.
func (p *parser) skipToken68() bool {
	start := p.pos
	p.pos += token68Len(p.input[p.pos:])
	token68 := p.input[start:p.pos]
	p.skip(isSpace)
	if token68 == "" || !p.atEndOfElement() {
		p.pos = start
		return false
	}
	p.challenges[len(p.challenges)-1].Token68 = token68
	return true
}

// skipEquals moves past an equals sign and the white space around it, and reports
// whether there was one.
func (p *parser) skipEquals() bool {
	p.skip(isSpace)
	if p.atEnd() || p.input[p.pos] != '=' {
		return false
	}
	p.pos++
	p.skip(isSpace)
	return true
}

// skip moves past the characters of the set and returns them.
func (p *parser) skip(set func(byte) bool) string {
	start := p.pos
	p.pos += prefixLen(p.input[p.pos:], set)
	return p.input[start:p.pos]
}

func (p *parser) atEnd() bool {
	return p.pos == len(p.input)
}

func (p *parser) atEndOfElement() bool {
	return p.atEnd() || p.input[p.pos] == ','
}

func (p *parser) fail(offset int, reason Reason) error {
	return &SyntaxError{Line: p.line, Offset: offset, Reason: reason}
}
