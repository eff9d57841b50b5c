package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// proofClaims are the claims of a DPoP proof (RFC 9449 §4.2).
type proofClaims struct {
	Method    string `json:"htm"`
	Target    string `json:"htu"`
	IssuedAt  int64  `json:"iat"`
	ID        string `json:"jti"`
	TokenHash string `json:"ath,omitempty"`
}

// prover is the key of a client that uses DPoP.
type prover struct {
	signer     jose.Signer
	thumbprint string
}

func newProver() (*prover, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: key},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, err
	}
	thumbprint, err := thumbprintOf(&jose.JSONWebKey{Key: key.Public()})
	return &prover{signer, thumbprint}, err
}

// prove returns a proof for one POST request to target. It names the token that the
// request has, unless that is empty. Each RPC is a POST.
func (p *prover) prove(target, token string) (string, error) {
	claims := proofClaims{Method: http.MethodPost, Target: target, IssuedAt: time.Now().Unix(), ID: rand.Text()}
	if token != "" {
		claims.TokenHash = hashOf(token)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := p.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
