package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	proofLeeway = time.Minute // how old a proof may be, or how far in the future
	maxProof    = 8 << 10     // bytes
)

// proofAlgorithms are those of proofs at the token endpoint.
var proofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// boundKey signs the tokens that are bound. That of package authserver signs the others.
type boundKey struct {
	public jose.JSONWebKey
	signer jose.Signer
}

func newBoundKey() (*boundKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("quickstart: signing key: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: oidc.KeyUseSignature}
	if public.KeyID, err = thumbprintOf(&public); err != nil {
		return nil, fmt.Errorf("quickstart: signing key: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: public.KeyID}},
		new(jose.SignerOptions).WithType("at+jwt")) // RFC 9068 §2.1
	if err != nil {
		return nil, fmt.Errorf("quickstart: signing key: %w", err)
	}
	return &boundKey{public, signer}, nil
}

// thumbprintOf returns the thumbprint of a key as it stands in jkt (RFC 9449 §6.1).
func thumbprintOf(key *jose.JSONWebKey) (string, error) {
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(thumbprint), err
}

// Keys serves the key of bound tokens beside that of the others. It implements
// [op.Server].
func (s *authServer) Keys(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	resp, err := s.Server.Keys(ctx, r)
	if err != nil {
		return nil, err
	}
	set, ok := resp.Data.(jose.JSONWebKeySet)
	if !ok {
		return nil, fmt.Errorf("quickstart: the key set is a %T", resp.Data)
	}
	set.Keys = append(set.Keys, s.key.public)
	return op.NewResponse(set), nil
}

// checkProof checks the DPoP proof of a token request (RFC 9449 §4.3) and returns the
// thumbprint of its key, or "" if there is none.
func (s *authServer) checkProof(ctx context.Context, proofs []string) (string, error) {
	switch {
	case len(proofs) == 0:
		return "", nil
	case len(proofs) > 1:
		return "", invalidProof("there are several DPoP proofs")
	case len(proofs[0]) > maxProof:
		return "", invalidProof("the proof is too long")
	}
	signed, err := jose.ParseSignedCompact(proofs[0], proofAlgorithms)
	if err != nil {
		return "", invalidProof("the proof is not a JWT with an algorithm of the metadata")
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		return "", invalidProof("the proof has another typ than dpop+jwt, or no public key")
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return "", invalidProof("the signature of the proof is wrong")
	}
	thumbprint, err := thumbprintOf(header.JSONWebKey)
	if err != nil {
		return "", invalidProof("the key of the proof has no thumbprint")
	}
	return thumbprint, s.checkProofClaims(ctx, payload, thumbprint)
}

// checkProofClaims checks that a proof is for the token endpoint, is recent, and was
// not used before.
func (s *authServer) checkProofClaims(ctx context.Context, payload []byte, thumbprint string) error {
	var claims proofClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return invalidProof("a claim of the proof has the wrong type")
	}
	target := claims.Target
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		target = target[:end]
	}
	switch {
	case claims.Method != http.MethodPost || target != s.TokenEndpoint():
		return invalidProof("the proof is for another request")
	case time.Since(time.Unix(claims.IssuedAt, 0)).Abs() > proofLeeway:
		return invalidProof("the proof is too old or of the future, or has no iat")
	case claims.ID == "":
		return invalidProof("the proof has no jti")
	}
	err := s.proofs.Consume(ctx, thumbprint, hashOf(claims.ID), time.Now().Add(2*proofLeeway))
	if errors.Is(err, proof.ErrUsed) {
		return invalidProof("the proof was used before")
	}
	return err
}

// invalidProof returns the error of RFC 9449 §5. A description is a fixed sentence.
func invalidProof(description string) error {
	return &oidc.Error{ErrorType: "invalid_dpop_proof", Description: description}
}

// hashOf returns a hash in the form of ath (RFC 9449 §4.2).
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
