package authserver

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	oidccrypto "github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// signingKey signs the tokens. It implements [op.SigningKey].
type signingKey struct {
	id     string
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

// newSigningKey returns a new key, whose identifier is its thumbprint (RFC 7638).
// The signer of op sets the type "JWT", and cannot be configured to set "at+jwt"
// (RFC 9068 §2.1).
func newSigningKey() (*signingKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("authserver: signing key: %w", err)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("authserver: signing key: %w", err)
	}
	k := &signingKey{id: base64.RawURLEncoding.EncodeToString(thumbprint), key: key}
	if k.signer, err = op.SignerFromKey(k); err != nil {
		return nil, fmt.Errorf("authserver: signing key: %w", err)
	}
	return k, nil
}

func (k *signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k *signingKey) Key() any                                    { return k.key }
func (k *signingKey) ID() string                                  { return k.id }

// Keys serves the public key. It implements [op.Server].
func (s *Server) Keys(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key:       s.key.key.Public(),
		KeyID:     s.key.id,
		Algorithm: string(s.key.SignatureAlgorithm()),
		Use:       oidc.KeyUseSignature,
	}}}), nil
}

// mint signs an access token for a grant.
func (s *Server) mint(g grant) (string, error) {
	expiry := time.Now().Add(s.config.TokenLifetime)
	claims := oidc.NewAccessTokenClaims(s.config.Issuer, g.subject, []string{g.resource}, expiry, rand.Text(), g.clientID, 0)
	claims.Scopes = g.scopes
	token, err := oidccrypto.Sign(claims, s.key.signer)
	if err != nil {
		return "", fmt.Errorf("authserver: sign token: %w", err)
	}
	return token, nil
}
