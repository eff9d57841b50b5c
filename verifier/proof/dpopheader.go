package proof

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// A proofHeader is a JOSE header (RFC 9449 §4.2) that was accepted for a key. It is
// immutable.
type proofHeader struct {
	segment string
	jkt     boundKey
	parsed  jose.Signature // without a signature
	small   bool
}

// verify checks the signature of a proof with the key in its header.
func (h *proofHeader) verify(payload []byte, segments jwt.Compact) error {
	signature, err := jwt.Encoding.DecodeString(segments.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", jwt.ErrNotBase64)
	}
	signed := h.parsed
	signed.Signature = signature
	jws := jose.JSONWebSignature{Signatures: []jose.Signature{signed}}
	key := h.parsed.Header.JSONWebKey
	if jws.DetachedVerify(payload, key) != nil || !jwt.HasFullSalt(h.parsed.Header.Algorithm, key.Key, segments, signature) {
		return errors.New("the signature is wrong")
	}
	return nil
}

// proofHeaders reads headers of proofs.
type proofHeaders struct {
	algorithms []jose.SignatureAlgorithm
	expected   string // the algorithms, for errors
	known      *knownHeaders
}

func newProofHeaders(algorithms []string) proofHeaders {
	p := proofHeaders{expected: strings.Join(algorithms, ", "), known: new(knownHeaders)}
	for _, name := range algorithms {
		p.algorithms = append(p.algorithms, jose.SignatureAlgorithm(name))
	}
	return p
}

// read judges the first segment of a proof.
func (p *proofHeaders) read(segment string, jkt *boundKey) (*proofHeader, error) {
	if h := p.known.find(segment, jkt); h != nil {
		return h, nil
	}
	data, err := jwt.DecodeSegment(nil, segment)
	if err != nil {
		return nil, err
	}
	if err := jwt.ScanObject(data, nil); err != nil {
		return nil, err
	}
	params, err := jwt.ParseObject(data)
	if err != nil {
		return nil, err
	}
	if err := p.checkParams(params); err != nil {
		return nil, err
	}
	// go-jose parses headers as a part of a JWS only.
	jws, err := jose.ParseSignedCompact(segment+"..", p.algorithms)
	if err != nil {
		return nil, errors.New(jwt.Quote(err.Error()))
	}
	h := &proofHeader{
		segment: segment,
		jkt:     *jkt,
		parsed:  jws.Signatures[0],
		small:   len(segment) <= maxKnownHeader && len(params) == len(usualParams),
	}
	if err := h.checkKey(); err != nil {
		return nil, err
	}
	return h, nil
}

// usualParams are the parameters of a header that has no others (RFC 9449 §4.2).
var usualParams = [...]string{"typ", "alg", "jwk"}

// checkParams checks a header before the key in it is parsed.
func (p *proofHeaders) checkParams(params jwt.Object) error {
	// An extension must be understood or refused (RFC 7515 §4.1.11), and b64
	// changes the signing input (RFC 7797); none is understood here.
	if params.Has("crit") || params.Has("b64") {
		return errors.New("crit and b64 are not supported")
	}
	typ, err := params.RequiredText("typ")
	if err != nil {
		return err
	}
	// RFC 7515 §4.1.9: a media type, with or without "application/".
	if lower := strings.ToLower(typ); lower != "dpop+jwt" && lower != "application/dpop+jwt" {
		return fmt.Errorf("typ is %s, expected dpop+jwt", jwt.Quote(typ))
	}
	algorithm, err := params.RequiredText("alg")
	if err != nil {
		return err
	}
	if !slices.Contains(p.algorithms, jose.SignatureAlgorithm(algorithm)) {
		return fmt.Errorf("alg is %s, expected one of %s", jwt.Quote(algorithm), p.expected)
	}
	key, ok := params["jwk"].(map[string]any)
	if !ok {
		return errors.New("jwk is missing or not an object")
	}
	return checkPublic(key)
}

// secretMembers are the members of a JWK that hold a secret (RFC 7518 §6.2.2,
// §6.3.2 and §6.4.1).
var secretMembers = [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// checkPublic refuses a JWK with a part of a private or symmetric key (RFC 9449
// §4.3, check 7).
func checkPublic(key jwt.Object) error {
	for _, name := range secretMembers {
		if key.Has(name) {
			return errors.New("jwk has a member of a private or symmetric key: " + name)
		}
	}
	return nil
}

// checkKey compares the key in a header with that of the token, before anything is
// computed with it, and with the algorithm.
func (h *proofHeader) checkKey() error {
	key := h.parsed.Header.JSONWebKey
	hash, err := key.Thumbprint(crypto.SHA256)
	if err != nil || !bytes.Equal(hash, h.jkt.hash[:]) {
		return errors.New("jwk is not the key to which the token is bound")
	}
	return checkFit(h.parsed.Header.Algorithm, key.Key)
}

// A knownHeaders remembers the last header of each client, because a client has the
// same one in all of its proofs. It takes only headers of proofs whose signature
// was correct.
//
// Each key has one place, by its thumbprint. A client that varies its headers, or
// chooses a key with the place of another, makes some requests slower, and no memory
// grows.
type knownHeaders struct {
	slots [maxKnownHeaders]atomic.Pointer[proofHeader]
}

const (
	// maxKnownHeaders is the number of headers to remember.
	maxKnownHeaders = 1 << 10
	// maxKnownHeader is the length of a header to remember, in bytes. It suffices
	// for an RSA key of 4,096 bits.
	maxKnownHeader = 3 << 9
)

func (k *knownHeaders) slot(jkt *boundKey) *atomic.Pointer[proofHeader] {
	return &k.slots[(int(jkt.hash[0])<<8|int(jkt.hash[1]))%len(k.slots)]
}

// find returns nil for a header that is not known.
func (k *knownHeaders) find(segment string, jkt *boundKey) *proofHeader {
	if h := k.slot(jkt).Load(); h != nil && h.segment == segment && h.jkt.hash == jkt.hash {
		return h
	}
	return nil
}

// remember keeps the header of a proof whose signature was correct.
func (p *proofHeaders) remember(h *proofHeader) {
	slot := p.known.slot(&h.jkt)
	if !h.small || slot.Load() == h {
		return
	}
	kept := *h
	// The segment is a part of the proof, which is not to be kept with it.
	kept.segment = strings.Clone(h.segment)
	slot.Store(&kept)
}
