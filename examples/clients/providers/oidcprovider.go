package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// oidcProvider is what a resource server needs to know of oidc-provider.
func (s site) oidcProvider() verifier.Config {
	return verifier.Config{
		// Its JWTs are those of RFC 9068.
		JWT: []verifier.JWTConfig{{Issuer: s.Issuer}},
		Introspection: []verifier.IntrospectionConfig{{
			Issuer:         s.Issuer,
			ClientID:       "api",
			ClientSecret:   clientSecret,
			AnswerLifetime: answerLifetime,
		}},
	}
}

// testOIDCProvider runs every check against oidc-provider.
func (s *suite) testOIDCProvider(ctx context.Context) {
	s.parameter, s.page = "resource", oidcProviderPage
	s.section("oidc-provider: discovery")
	if !s.discovery(ctx) {
		return
	}
	s.section("oidc-provider: JWTs")
	s.clients(ctx, s.JWT, s.Certificates, "machine")
	s.users(ctx, s.JWT, "person", "typ is missing")
	s.section("oidc-provider: opaque tokens")
	s.clients(ctx, s.Opaque, s.JWT, "machine")
	s.users(ctx, s.Opaque, "person", "typ is missing")
	s.run(ctx, row{
		"a token about which the answer has no sub: 401",
		call{resource: s.Opaque, token: s.token(ctx, "nameless", readStock, s.Opaque)}, refused, "", "sub is missing",
	})
	s.revocation(ctx, s.Opaque, "machine")
	s.section("oidc-provider: DPoP, JWTs")
	s.dpop(ctx, s.JWT, "dpop", false)
	s.section("oidc-provider: DPoP, opaque tokens and nonces")
	s.dpop(ctx, s.Opaque, "dpop", true)
	s.section("oidc-provider: client certificates")
	s.certificates(ctx, "certificate")
	s.section("oidc-provider: logout of a user")
	s.logout(ctx, "person", s.endSession)
	s.section("oidc-provider: logout of a session")
	s.logout(ctx, "session", s.endSession)
}

var (
	promptField = regexp.MustCompile(`name="prompt" value="(\w+)"`)
	xsrfField   = regexp.MustCompile(`name="xsrf" value="(\w+)"`)
)

// oidcProviderPage logs the user in, and consents to everything.
func oidcProviderPage(ctx context.Context, b *browser, address *url.URL) (string, error) {
	if !strings.HasPrefix(address.Path, "/interaction/") {
		return "", nil
	}
	body, _, err := b.send(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", err
	}
	prompt := promptField.FindStringSubmatch(body)
	if prompt == nil {
		return "", fmt.Errorf("the page %s has no prompt", address.Path)
	}
	_, next, err := b.send(ctx, http.MethodPost, address.String(), url.Values{"prompt": {prompt[1]}, "login": {user}, "password": {"any"}})
	return next, err
}

// endSession logs the user out at the provider (OpenID Connect RP-Initiated Logout).
func (s *suite) endSession(ctx context.Context, b *browser, granted grant) error {
	body, _, err := b.send(ctx, http.MethodGet, s.server.EndSession+"?id_token_hint="+granted.IDToken, nil)
	if err != nil {
		return err
	}
	xsrf := xsrfField.FindStringSubmatch(body)
	if xsrf == nil {
		return errors.New("the page of the logout has no form")
	}
	_, _, err = b.send(ctx, http.MethodPost, s.server.EndSession+"/confirm", url.Values{"xsrf": {xsrf[1]}, "logout": {"yes"}})
	return err
}
