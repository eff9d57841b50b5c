package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// dpop calls a resource with tokens that are bound to a key (RFC 9449). The resource
// may ask for a nonce in each proof.
func (s *suite) dpop(ctx context.Context, resource, client string, asksForNonce bool) {
	key, stranger := authtest.NewProofKey(nil, ""), authtest.NewProofKey(nil, "")
	granted, err := s.request(ctx, s.server.Token, tokenRequest{
		client: client, key: key, form: clientCredentials(readStock, s.parameter, resource),
	})
	if err == nil {
		err = same("token_type", granted.Type, challenge.DPoP)
	}
	if !s.need("a bound token", err) {
		return
	}
	s.check("the token endpoint asks for a nonce, and binds the token", same("the nonces", granted.nonces, 1))
	nonce := ""
	prove := func(k *authtest.ProofKey, url string) string {
		return k.Prove(authtest.Proof{Method: http.MethodPost, URL: url, AccessToken: granted.AccessToken, Nonce: nonce})
	}
	bound := func(proof string) call {
		return call{resource: resource, token: granted.AccessToken, scheme: challenge.DPoP, proof: proof}
	}
	if asksForNonce {
		got, err := bound(prove(key, resource+listItems)).send(ctx, s.site)
		if err == nil {
			err = got.is(outcome{http.StatusUnauthorized, "use_dpop_nonce", readStock})
		}
		s.check("a proof without a nonce: 401, and one is sent", err)
		nonce = got.nonce
	}
	proof := prove(key, resource+listItems)
	badProof := outcome{http.StatusUnauthorized, "invalid_dpop_proof", readStock}
	s.run(ctx,
		row{"a bound token with a proof: 200", bound(proof), allowed, "", ""},
		row{"the same proof again: 401", bound(proof), badProof, "", "was used before"},
		row{"without a proof: 401", bound(""), badProof, "", "the field is missing"},
		row{"as a bearer token: 401", call{resource: resource, token: granted.AccessToken}, refused, "", "sent as Bearer"},
		row{"as a bearer token with a proof: 401", call{resource: resource, token: granted.AccessToken, proof: prove(key, resource+listItems)}, refused, "", "sent as Bearer"},
		row{"a proof for another RPC: 401", bound(prove(key, resource+getInvoice)), badProof, "", "htu is"},
		row{"a proof with another key: 401", bound(prove(stranger, resource+listItems)), badProof, "", "not the key to which"},
	)
	if resource == s.JWT {
		s.check("over gRPC with a proof: OK", s.overGRPC(ctx, granted.AccessToken, challenge.DPoP, prove(key, resource+listItems)))
		s.check("over gRPC without: unauthenticated", isRefused(s.overGRPC(ctx, granted.AccessToken, challenge.DPoP, ""), challenge.ReasonInvalidToken))
	}
}

// certificates calls the resource with TLS with tokens that are bound to a certificate
// (RFC 8705).
func (s *suite) certificates(ctx context.Context, client string) {
	mine, other := authtest.NewCertificate(nil, "mine"), authtest.NewCertificate(nil, "other")
	document, server, err := s.discover(ctx, s.Certificates)
	if err == nil && !document.Certificates {
		err = errors.New("the metadata do not say so")
	}
	s.check("the metadata say that tokens may be bound to certificates", err)
	granted, err := s.request(ctx, server.Aliases.Token, tokenRequest{
		client: client, certificate: mine, form: clientCredentials(readStock, s.parameter, s.Certificates),
	})
	if err != nil {
		s.check("a bound token", fmt.Errorf("%s: %w", server.Aliases.Token, err))
		return
	}
	s.run(ctx,
		row{"a bound token with its certificate: 200", call{resource: s.Certificates, token: granted.AccessToken, certificate: mine}, allowed, "", ""},
		row{"without a certificate: 401", call{resource: s.Certificates, token: granted.AccessToken}, refused, "", "no client certificate"},
		row{"with another certificate: 401", call{resource: s.Certificates, token: granted.AccessToken, certificate: other}, refused, "", "another client certificate"},
	)
}
