package verifier

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"
)

// A header is a JOSE header (RFC 7515 §4) that was parsed and accepted. It is
// immutable.
type header struct {
	segment string
	key     keyName
	parsed  jose.Signature // without a signature
}

// jws returns a JWS with this header and the given signature. Its payload is
// detached: jose.JSONWebSignature.DetachedVerify checks the signature over the
// header and the payload that it gets.
func (h *header) jws(signature []byte) *jose.JSONWebSignature {
	signed := h.parsed
	signed.Signature = signature
	return &jose.JSONWebSignature{Signatures: []jose.Signature{signed}}
}

// A headerPolicy states which headers are accepted.
//
// The parameters jku, jwk, x5u and x5c are not read: keys come from the issuer
// alone (RFC 8725 §3.10).
type headerPolicy struct {
	algorithms    []jose.SignatureAlgorithm
	acceptTypeJWT bool
}

func newHeaderPolicy(config JWTConfig) headerPolicy {
	p := headerPolicy{acceptTypeJWT: config.AcceptTypeJWT}
	for _, name := range config.Algorithms {
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(name))
	}
	return p
}

// parse parses the first segment of a token and judges it. go-jose parses
// headers as a part of a JWS only, so it gets one that is otherwise empty.
func (p *headerPolicy) parse(segment string) (*header, error) {
	jws, err := jose.ParseSignedCompact(segment+"..", p.algorithms)
	if unexpected, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, fmt.Errorf("alg is %s, which is not accepted", quote(string(unexpected.Got)))
	}
	if err != nil {
		return nil, errors.New(quote(err.Error()))
	}
	parsed := jws.Signatures[0]
	if err := p.check(parsed.Header, segment); err != nil {
		return nil, err
	}
	key := keyName{id: parsed.Header.KeyID, algorithm: parsed.Header.Algorithm}
	return &header{segment: strings.Clone(segment), key: key, parsed: parsed}, nil
}

// check judges a header whose alg is accepted.
func (p *headerPolicy) check(parsed jose.Header, segment string) error {
	for _, name := range [...]jose.HeaderKey{"crit", "b64"} {
		if _, ok := parsed.ExtraHeaders[name]; ok {
			return errExtension
		}
	}
	if err := checkHidden(parsed, segment); err != nil {
		return err
	}
	typ, present := parsed.ExtraHeaders[jose.HeaderType]
	return p.checkType(typ, present)
}

// errExtension refuses a header with an extension. An extension must be
// understood or refused (RFC 7515 §4.1.11), and b64 changes the signing input
// (RFC 7797); none is understood here.
var errExtension = errors.New("crit and b64 are not supported")

// checkType compares media types without case, and with or without
// "application/" (RFC 7515 §4.1.9).
func (p *headerPolicy) checkType(value any, present bool) error {
	typ, ok := value.(string)
	if present && !ok {
		return fmt.Errorf("typ: %w", errNotString)
	}
	switch strings.ToLower(typ) {
	case "at+jwt", "application/at+jwt":
		return nil
	case "", "jwt", "application/jwt":
		if p.acceptTypeJWT {
			return nil
		}
	}
	return fmt.Errorf("typ is %s, which is not accepted", quote(typ))
}

// checkHidden checks the parts of a header that go-jose does not show: it drops
// a parameter whose value is null, and does not look for duplicate names at all
// depths of a jwk. Access tokens have neither in practice, so only a header
// that may have one is decoded once more.
func checkHidden(parsed jose.Header, segment string) error {
	data, err := encoding.DecodeString(segment)
	if err != nil {
		return errors.New("not base64url")
	}
	if parsed.JSONWebKey == nil && !bytes.Contains(data, []byte("null")) {
		return nil
	}
	parameters, err := parseObject(data)
	if err != nil {
		return err
	}
	if parameters.has("crit") || parameters.has("b64") {
		return errExtension
	}
	_, err = parameters.text("typ")
	return err
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
