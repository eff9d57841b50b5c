package jwt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of the header of a token, and of its claims. Both are checked before
// anything is decoded: a decoder allocates memory for every value, and a forged
// token may consist of thousands.
const (
	maxDepth  = 64
	maxValues = 1024
)

// The reasons against a text that is not a JSON object within the bounds.
var (
	ErrNotObject = errors.New("not a JSON object")
	ErrNotJSON   = errors.New("not JSON")
	ErrTooDeep   = errors.New("nested more than " + strconv.Itoa(maxDepth) + " levels deep")
	ErrTooMany   = errors.New("more than " + strconv.Itoa(maxValues) + " values")
)

// A Member is one that ScanObject looks for: its name, and where its value
// stands. It has no slice of the text, which would then leave the stack.
type Member struct {
	Name       string
	Start, End int // 0 if the object does not have it
}

// In returns the value as it is written, or nothing.
func (m *Member) In(data []byte) []byte { return data[m.Start:m.End] }

// ScanObject walks over a JSON object without decoding it. It fills in the
// wanted members of the object, and enforces the bounds. It allocates nothing.
//
// It checks the structure only as far as it has to. Objects that it accepts may
// still not be JSON, so they have to be decoded before they are believed.
func ScanObject(data []byte, wanted []Member) error {
	if !utf8.Valid(data) {
		return ErrNotJSON // RFC 7519 §7.2
	}
	s := scanner{data: data}
	s.skipSpace()
	if s.peek() != '{' {
		return ErrNotObject
	}
	if err := s.object(1, wanted); err != nil {
		return err
	}
	s.skipSpace()
	if s.at < len(s.data) {
		return ErrNotJSON
	}
	return nil
}

// A scanner is a position in a JSON text, and the number of values before it.
type scanner struct {
	data   []byte
	at     int
	values int
}

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.at == len(s.data) {
		return 0
	}
	return s.data[s.at]
}

func (s *scanner) skipSpace() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// take moves past a byte, if it is the next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// takeSpaced moves past a byte and the spaces after it, if it is the next.
func (s *scanner) takeSpaced(c byte) bool {
	taken := s.take(c)
	if taken {
		s.skipSpace()
	}
	return taken
}

// value moves past a value inside of depth objects and arrays.
func (s *scanner) value(depth int) error {
	if s.values++; s.values > maxValues {
		return ErrTooMany
	}
	switch s.peek() {
	case '{':
		return s.object(depth+1, nil)
	case '[':
		return s.array(depth + 1)
	case '"':
		return s.text()
	default:
		return s.literal()
	}
}

// object moves past an object, which is at the given depth.
func (s *scanner) object(depth int, wanted []Member) error {
	if depth > maxDepth {
		return ErrTooDeep
	}
	s.takeSpaced('{')
	if s.take('}') {
		return nil
	}
	for {
		start := s.at
		if s.peek() != '"' {
			return ErrNotJSON
		}
		if err := s.text(); err != nil {
			return err
		}
		found := find(wanted, s.data[start+1:s.at-1])
		s.skipSpace()
		if !s.takeSpaced(':') {
			return ErrNotJSON
		}
		start = s.at
		if err := s.value(depth); err != nil {
			return err
		}
		if found != nil {
			if found.End > 0 {
				return errors.New(found.Name + " appears twice")
			}
			found.Start, found.End = start, s.at
		}
		s.skipSpace()
		if s.take('}') {
			return nil
		}
		if !s.takeSpaced(',') {
			return ErrNotJSON
		}
	}
}

// find returns the wanted Member of that name, or nil.
func find(wanted []Member, name []byte) *Member {
	var buffer [8]byte // for more than the longest name that is wanted
	if wanted != nil && bytes.IndexByte(name, '\\') >= 0 {
		name = unescapeStart(buffer[:], name)
	}
	for i := range wanted {
		if string(name) == wanted[i].Name {
			return &wanted[i]
		}
	}
	return nil
}

// array moves past an array, which is at the given depth.
func (s *scanner) array(depth int) error {
	if depth > maxDepth {
		return ErrTooDeep
	}
	s.takeSpaced('[')
	if s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth); err != nil {
			return err
		}
		s.skipSpace()
		if s.take(']') {
			return nil
		}
		if !s.takeSpaced(',') {
			return ErrNotJSON
		}
	}
}

// text moves past a string.
func (s *scanner) text() error {
	for i := s.at + 1; i < len(s.data); i++ {
		switch s.data[i] {
		case '\\':
			i++
			if i+1 < len(s.data) && s.data[i] == 'u' && s.data[i+1]|0x20 == 'd' {
				if i = s.surrogates(i); i == 0 {
					return ErrNotJSON
				}
			}
		case '"':
			s.at = i + 1
			return nil
		}
	}
	return ErrNotJSON
}

// surrogates returns where the escapes end that begin with the u at i, if they may be those of
// surrogates. It returns 0 for one that is not half of a pair, which stands for no character
// (RFC 8259 §8.2): decoders put the same replacement in the place of each, and two
// subjects would become one.
func (s *scanner) surrogates(i int) int {
	const length = len(`ud83d`)
	high := s.surrogate(i)
	switch {
	case high == 0:
		return i
	case high >= lowSurrogate || i+length >= len(s.data) || s.data[i+length] != '\\' || s.surrogate(i+length+1) < lowSurrogate:
		return 0
	default:
		return i + 2*length
	}
}

// lowSurrogate is the first of those that stand second in a pair.
const lowSurrogate = 0xdc00

// surrogate returns the surrogate whose escape has its u at i, or 0 for what is none.
func (s *scanner) surrogate(i int) int {
	var code [2]byte
	if i+len("ud83d") > len(s.data) || s.data[i] != 'u' {
		return 0
	}
	if _, err := hex.Decode(code[:], s.data[i+1:i+5]); err != nil || code[0]&0xf8 != 0xd8 {
		return 0
	}
	return int(code[0])<<8 | int(code[1])
}

// literal moves past a number, true, false or null.
func (s *scanner) literal() error {
	start := s.at
	for s.at < len(s.data) && isLiteral(s.data[s.at]) {
		s.at++
	}
	if s.at == start {
		return ErrNotJSON
	}
	return nil
}

func isLiteral(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// spells reports whether the inside of a JSON string stands for want, which is
// printable ASCII. Some encoders escape slashes.
func spells(written []byte, want string) bool {
	if bytes.IndexByte(written, '\\') < 0 {
		return string(written) == want
	}
	for len(written) > 0 && want != "" {
		c, length := unescape(written)
		if c != want[0] {
			return false
		}
		written, want = written[length:], want[1:]
	}
	return len(written) == 0 && want == ""
}

// IsStringOf reports whether a value is the string want.
func IsStringOf(value []byte, want string) bool {
	return len(value) > 0 && value[0] == '"' && spells(value[1:len(value)-1], want)
}

// unescapeStart decodes the inside of a JSON string until the buffer is full.
func unescapeStart(buffer, written []byte) []byte {
	n := 0
	for n < len(buffer) && len(written) > 0 {
		c, length := unescape(written)
		buffer[n], written = c, written[length:]
		n++
	}
	return buffer[:n]
}

// unescape returns the first byte of the inside of a JSON string, decoded, and
// how long it is written. It is 0 for an escape that does not stand for a
// printable ASCII character.
func unescape(written []byte) (c byte, length int) {
	const short, long = len(`\/`), len(`\u002f`)
	switch {
	case written[0] != '\\':
		return written[0], 1
	case len(written) < short:
		return 0, len(written)
	case strings.IndexByte(`"\/`, written[1]) >= 0:
		return written[1], short
	case written[1] != 'u' || len(written) < long:
		return 0, short
	}
	var code [2]byte
	if _, err := hex.Decode(code[:], written[short:long]); err != nil || code[0] != 0 {
		return 0, long
	}
	return code[1], long
}
