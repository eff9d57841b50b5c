package verifier

import (
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// A signed is a token whose signature has not been checked yet. It is decoded
// when a key has been found for it.
type signed struct {
	segments jwt.Compact
	header   *header
	policy   *headerPolicy

	jws     *jose.JSONWebSignature // nil until it is decoded
	payload []byte
}

// decode decodes everything that the signature covers, and the signature.
func (s *signed) decode() error {
	if s.jws != nil {
		return nil
	}
	if s.header.parsed == nil {
		parsed, err := s.policy.parse(s.header)
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		s.header = parsed
	}
	signature, err := jwt.Encoding.DecodeString(s.segments.Signature)
	if err != nil {
		return fmt.Errorf("signature: %w", jwt.ErrNotBase64)
	}
	if s.payload, err = jwt.Encoding.DecodeString(s.segments.Payload); err != nil {
		return fmt.Errorf("claims: %w", jwt.ErrNotBase64)
	}
	s.jws = s.header.jws(signature)
	return nil
}

// verify checks the signature with the keys that it may have been made with.
func (s *signed) verify(candidates []*publicKey) error {
	if err := s.decode(); err != nil {
		return err
	}
	for _, candidate := range candidates {
		signature := s.jws.Signatures[0]
		if s.jws.DetachedVerify(s.payload, candidate.key) == nil &&
			jwt.HasFullSalt(signature.Header.Algorithm, candidate.key.Key, s.segments, signature.Signature) {
			return nil
		}
	}
	return errWrongSignature
}

var errWrongSignature = errors.New("the signature is wrong")
