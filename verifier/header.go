package verifier

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// maxParameter bounds alg, typ and kid, in bytes as they are written.
const maxParameter = 1 << 10

// A header is a JOSE header (RFC 7515 §4) that was accepted. It is immutable.
type header struct {
	segment string
	key     keyName
	typed   bool            // typ says that the token is an access token
	parsed  *jose.Signature // without a signature; nil until it is needed
}

// jws returns a JWS with this header and the given signature. Its payload is
// detached: jose.JSONWebSignature.DetachedVerify checks the signature over the
// header and the payload that it gets.
func (h *header) jws(signature []byte) *jose.JSONWebSignature {
	signed := *h.parsed
	signed.Signature = signature
	return &jose.JSONWebSignature{Signatures: []jose.Signature{signed}}
}

// A headerPolicy states which headers are accepted.
//
// The parameters jku, jwk, x5u and x5c are not read: keys come from the issuer
// alone (RFC 8725 §3.10).
type headerPolicy struct {
	algorithms    []jose.SignatureAlgorithm
	expected      string // the algorithms, for errors
	acceptTypeJWT bool
	isLogout      bool // for logout tokens
}

func newHeaderPolicy(config JWTConfig) headerPolicy {
	p := headerPolicy{acceptTypeJWT: config.AcceptTypeJWT, expected: strings.Join(config.Algorithms, ", ")}
	for _, name := range config.Algorithms {
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(name))
	}
	return p
}

// The parameters of a header that are judged, by their place in a scan.
const (
	paramAlgorithm = iota
	paramType
	paramKeyID
	paramCritical
	paramBase64
)

// scan judges the first segment of a token without decoding its JSON, so that
// a token of another kind is refused at little cost. The result is not parsed.
func (p *headerPolicy) scan(segment string) (*header, error) {
	var buffer [512]byte
	data, err := jwt.DecodeSegment(buffer[:], segment)
	if err != nil {
		return nil, err
	}
	params := [...]jwt.Member{{Name: "alg"}, {Name: "typ"}, {Name: "kid"}, {Name: "crit"}, {Name: "b64"}}
	if err := jwt.ScanObject(data, params[:]); err != nil {
		return nil, err
	}
	// An extension must be understood or refused (RFC 7515 §4.1.11), and b64
	// changes the signing input (RFC 7797); none is understood here.
	if params[paramCritical].End > 0 || params[paramBase64].End > 0 {
		return nil, errors.New("crit and b64 are not supported")
	}
	algorithm, err := p.algorithm(params[paramAlgorithm].In(data))
	if err != nil {
		return nil, err
	}
	typed, err := p.checkType(params[paramType].In(data))
	if err != nil {
		return nil, err
	}
	id, err := keyID(params[paramKeyID].In(data))
	if err != nil {
		return nil, err
	}
	return &header{segment: segment, key: keyName{id: id, algorithm: algorithm}, typed: typed}, nil
}

// algorithm returns the accepted algorithm that alg names.
func (p *headerPolicy) algorithm(written []byte) (string, error) {
	name, err := parameter("alg", written)
	if err != nil {
		return "", err
	}
	if !slices.Contains(p.algorithms, jose.SignatureAlgorithm(name)) {
		return "", fmt.Errorf("alg is %s, expected one of %s", jwt.Quote(name), p.expected)
	}
	return name, nil
}

// checkType compares media types without case, and with or without
// "application/" (RFC 7515 §4.1.9). It reports whether typ is that of an access
// token (RFC 9068 §4).
func (p *headerPolicy) checkType(written []byte) (typed bool, err error) {
	typ, err := parameter("typ", written)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(typ) {
	case "logout+jwt", "application/logout+jwt":
		if p.isLogout {
			return true, nil
		}
		return false, fmt.Errorf("typ is %s, expected at+jwt", jwt.Quote(typ))
	case "at+jwt", "application/at+jwt":
		if p.isLogout {
			return false, errors.New("typ is that of an access token")
		}
		return true, nil
	case "", "jwt", "application/jwt":
		if p.acceptTypeJWT {
			return false, nil
		}
		if typ == "" {
			return false, errors.New("typ is missing: see AcceptTypeJWT")
		}
		return false, fmt.Errorf("typ is %s: see AcceptTypeJWT", typ)
	default:
		return false, fmt.Errorf("typ is %s, expected at+jwt", jwt.Quote(typ))
	}
}

// keyID returns kid, or "" if it is absent. go-jose takes null for absent.
func keyID(written []byte) (string, error) {
	if string(written) == "null" {
		return "", nil
	}
	return parameter("kid", written)
}

// parameter decodes a parameter that must be a string, or "" if it is absent.
func parameter(name string, written []byte) (string, error) {
	switch {
	case len(written) == 0:
		return "", nil
	case written[0] != '"':
		return "", fmt.Errorf("%s: %w", name, jwt.ErrNotString)
	case len(written) > maxParameter:
		return "", fmt.Errorf("%s is longer than %d bytes", name, maxParameter)
	case !bytes.ContainsFunc(written, isSpecial):
		return string(written[1 : len(written)-1]), nil
	}
	var text string
	if err := json.Unmarshal(bytes.Clone(written), &text); err != nil {
		return "", fmt.Errorf("%s: %w", name, jwt.ErrNotJSON)
	}
	return text, nil
}

// isSpecial reports whether a character in a JSON string may not stand for
// itself.
func isSpecial(r rune) bool { return r == '\\' || r < ' ' || r > '~' }

// parse decodes the header of a token that was scanned. Nothing that it finds may
// differ from the scan. go-jose parses headers as a part of a JWS only, so it
// gets one that is otherwise empty.
func (p *headerPolicy) parse(scanned *header) (*header, error) {
	data, err := jwt.Encoding.DecodeString(scanned.segment)
	if err != nil {
		return nil, jwt.ErrNotBase64
	}
	// go-jose does not look for duplicate names in every parameter.
	if _, err := jwt.ParseObject(data); err != nil {
		return nil, err
	}
	jws, err := jose.ParseSignedCompact(scanned.segment+"..", p.algorithms)
	if err != nil {
		return nil, errors.New(jwt.Quote(err.Error()))
	}
	parsed := jws.Signatures[0]
	if found := (keyName{id: parsed.Header.KeyID, algorithm: parsed.Header.Algorithm}); found != scanned.key {
		return nil, errors.New("is read in two ways")
	}
	// The segment is a part of the token, which is not to be kept with it.
	return &header{segment: strings.Clone(scanned.segment), key: scanned.key, typed: scanned.typed, parsed: &parsed}, nil
}

// A headerMemo remembers the last few accepted headers, because the tokens of an
// issuer usually have the same header as long as they are signed with the same
// key. It takes only headers of tokens whose signature was correct.
type headerMemo struct {
	slots [4]atomic.Pointer[header]
	next  atomic.Uint32
}

// find returns nil for a header that is not known.
func (m *headerMemo) find(segment string) *header {
	for i := range m.slots {
		if h := m.slots[i].Load(); h != nil && h.segment == segment {
			return h
		}
	}
	return nil
}

// put replaces the oldest header.
func (m *headerMemo) put(h *header) {
	if m.find(h.segment) == nil {
		m.slots[m.next.Add(1)%uint32(len(m.slots))].Store(h)
	}
}
