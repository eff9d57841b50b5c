package verifier

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxTokenLength bounds the tokens that are looked at. Parsers of JOSE have
// been brought down by long ones (CVE-2025-27144, CVE-2025-30204), so this is
// the first check of all.
const maxTokenLength = 16 << 10

var encoding = base64.RawURLEncoding.Strict()

// A token is a JWT that was taken apart. Nothing in it is trusted.
type token struct {
	raw     string
	header  header
	payload []byte
	claims  object
}

// A header is what we read of a JOSE header (RFC 7515 §4). The parameters jku,
// jwk, x5u and x5c are not among it: keys come from the issuer alone (RFC 8725
// §3.10).
type header struct {
	algorithm string
	typ       string
}

// parseToken takes apart a JWS in compact serialization (RFC 7515 §7.1).
func parseToken(raw string) (*token, error) {
	segments, err := split(raw)
	if err != nil {
		return nil, err
	}
	header, err := parseHeader(segments[0])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	payload, err := encoding.DecodeString(segments[1])
	if err != nil {
		return nil, errors.New("claims: not base64url")
	}
	claims, err := parseObject(payload)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	// The signature is decoded again when it is checked, but not as strictly:
	// its last bits could change, and one token have several spellings.
	if _, err := encoding.DecodeString(segments[2]); err != nil {
		return nil, errors.New("signature: not base64url")
	}
	return &token{raw: raw, header: header, payload: payload, claims: claims}, nil
}

func split(raw string) ([3]string, error) {
	var segments [3]string
	for i := range len(raw) {
		if !isBase64URL(raw[i]) && raw[i] != '.' {
			return segments, fmt.Errorf("byte %d is neither base64url nor a dot", i)
		}
	}
	if strings.Count(raw, ".") != len(segments)-1 {
		return segments, errors.New("not three segments")
	}
	copy(segments[:], strings.Split(raw, "."))
	if slices.Contains(segments[:], "") {
		return segments, errors.New("a segment is empty")
	}
	return segments, nil
}

// isBase64URL is needed because package base64 lets line breaks pass and
// go-jose strips all white space, which too would give one token several
// spellings.
func isBase64URL(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func parseHeader(segment string) (header, error) {
	data, err := encoding.DecodeString(segment)
	if err != nil {
		return header{}, errors.New("not base64url")
	}
	parameters, err := parseObject(data)
	if err != nil {
		return header{}, err
	}
	if parameters.has("crit") || parameters.has("b64") {
		// An extension must be understood or refused (RFC 7515 §4.1.11), and
		// b64 changes what was signed (RFC 7797). We understand none.
		return header{}, errors.New("crit and b64 are not supported")
	}
	algorithm, err := parameters.requiredText("alg")
	if err != nil {
		return header{}, err
	}
	typ, err := parameters.text("typ")
	return header{algorithm: algorithm, typ: typ}, err
}
