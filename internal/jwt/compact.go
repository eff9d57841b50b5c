package jwt

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Encoding is base64url without padding (RFC 7515 §2), in its only spelling.
var Encoding = base64.RawURLEncoding.Strict()

// ErrNotBase64 is the reason against what is not base64url.
var ErrNotBase64 = errors.New("not base64url")

// ErrSegments is the reason against what is no JWS, such as an opaque token.
var ErrSegments = errors.New("not three segments")

// A Compact is a JWS in compact serialization (RFC 7515 §7.1), split into its
// segments. Each is the only spelling of its content, if it is base64url at
// all; the decoder checks the alphabet.
type Compact struct {
	Header, Payload, Signature string
}

// ParseCompact splits a token. It decodes nothing.
func ParseCompact(raw string) (Compact, error) {
	header, rest, _ := strings.Cut(raw, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found || strings.Contains(signature, ".") {
		return Compact{}, ErrSegments
	}
	for _, segment := range [...]string{header, payload, signature} {
		if segment == "" {
			return Compact{}, errors.New("a segment is empty")
		}
		if !isCanonical(segment) {
			return Compact{}, errors.New("a segment is not canonical base64url")
		}
	}
	return Compact{Header: header, Payload: payload, Signature: signature}, nil
}

// isCanonical reports whether a segment has no second spelling. The decoder of
// go-jose, and that of package base64, skip line breaks and ignore the unused
// bits of the last character.
func isCanonical(segment string) bool {
	if strings.Contains(segment, "\n") || strings.Contains(segment, "\r") {
		return false
	}
	last := segment[len(segment)-1]
	switch len(segment) % 4 {
	case 0:
		return true
	case 2: // the last four bits are unused
		return strings.IndexByte("AQgw", last) >= 0
	case 3: // the last two bits are unused
		return strings.IndexByte("AEIMQUYcgkosw048", last) >= 0
	default:
		return false
	}
}

// DecodeSegment decodes a segment into the buffer, or into new memory if that is
// too small.
func DecodeSegment(buffer []byte, segment string) ([]byte, error) {
	if length := Encoding.DecodedLen(len(segment)); length > len(buffer) {
		buffer = make([]byte, length)
	}
	length, err := Encoding.Decode(buffer, []byte(segment))
	if err != nil {
		return nil, ErrNotBase64
	}
	return buffer[:length], nil
}
