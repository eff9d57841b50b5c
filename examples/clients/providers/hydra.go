package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// hydraPages are the URLs of the login, consent and logout pages. Nothing listens
// there: hydraPage does what they would do.
const hydraPages = "http://127.0.0.1:9"

// hydra is what a resource server needs to know of hydra.
func (s site) hydra() verifier.Config {
	return verifier.Config{
		JWT: []verifier.JWTConfig{verifier.Hydra(s.Issuer)},
		Introspection: []verifier.IntrospectionConfig{{
			Issuer:         s.Issuer,
			Endpoint:       s.Admin + "/admin/oauth2/introspect",
			ClientID:       "api", // which hydra does not ask for
			ClientSecret:   clientSecret,
			AnswerLifetime: answerLifetime,
		}},
	}
}

// writeHydraConfig writes the configuration of hydra.
func (s site) writeHydraConfig(w io.Writer) error {
	listen := func(address string) map[string]any {
		u, err := url.Parse(address)
		if err != nil {
			return nil
		}
		return map[string]any{"host": u.Hostname(), "port": json.Number(u.Port())}
	}
	return json.NewEncoder(w).Encode(map[string]any{
		"dsn":     "memory",
		"serve":   map[string]any{"public": listen(s.Issuer), "admin": listen(s.Admin)},
		"oauth2":  map[string]any{"allowed_top_level_claims": []string{"sid"}},
		"secrets": map[string]any{"system": []string{rand.Text() + rand.Text()}},
		"urls": map[string]any{
			"self":  map[string]any{"issuer": s.Issuer},
			"login": hydraPages + "/login", "consent": hydraPages + "/consent", "logout": hydraPages + "/logout",
		},
	})
}

// testHydra runs every check that hydra has a counterpart for.
func (s *suite) testHydra(ctx context.Context) {
	s.parameter, s.page = "audience", hydraPage
	if !s.need("the clients", s.addHydraClients(ctx)) {
		return
	}
	s.section("hydra: discovery")
	if !s.discovery(ctx) {
		return
	}
	s.section("hydra: JWTs")
	s.clients(ctx, s.JWT, s.Opaque, "machine-jwt")
	s.users(ctx, s.JWT, "person-jwt", "at_hash")
	s.section("hydra: opaque tokens")
	s.clients(ctx, s.Opaque, s.JWT, "machine-opaque")
	s.users(ctx, s.Opaque, "person-opaque", "at_hash")
	s.revocation(ctx, s.Opaque, "machine-opaque")
	s.refreshToken(ctx)
	s.section("hydra: the parameter resource (RFC 8707), which it does not know")
	s.hydraWithoutAudience(ctx)
	s.section("hydra: logout of a session")
	s.logout(ctx, "person-jwt", s.endHydraSession)
}

// addHydraClients registers the clients. All may have tokens for each resource.
func (s *suite) addHydraClients(ctx context.Context) error {
	for _, strategy := range []string{"jwt", "opaque"} {
		for _, client := range []map[string]any{
			{
				"client_id": "machine-" + strategy, "client_secret": clientSecret, "grant_types": []string{"client_credentials"},
			},
			{
				"client_id": "person-" + strategy, "token_endpoint_auth_method": "none", "redirect_uris": []string{s.Redirect},
				"grant_types": []string{"authorization_code", "refresh_token"}, "backchannel_logout_uri": s.Logout,
			},
		} {
			client["access_token_strategy"] = strategy
			client["scope"] = "openid offline " + readStock + " " + writeStock + " " + readBills
			client["audience"] = []string{s.JWT, s.Opaque}
			if err := s.administer(ctx, http.MethodPost, "/admin/clients", client, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// administer calls the API for administrators.
func (s site) administer(ctx context.Context, method, path string, body, into any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Admin+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	_, err = exchange(s.client(nil), req, into)
	return err
}

// hydraPage logs the user in, consents to everything, and logs the user out.
func hydraPage(ctx context.Context, b *browser, address *url.URL) (string, error) {
	if address.Scheme+"://"+address.Host != hydraPages {
		return "", nil
	}
	kind := address.Path[1:]
	query := "?" + url.Values{kind + "_challenge": {address.Query().Get(kind + "_challenge")}}.Encode()
	accepted := map[string]any{"subject": user, "remember": true}
	if kind == "consent" {
		var asked struct {
			Scopes    []string `json:"requested_scope"`
			Audience  []string `json:"requested_access_token_audience"`
			Requested string   `json:"request_url"`
			Session   string   `json:"login_session_id"`
		}
		if err := b.site.administer(ctx, http.MethodGet, "/admin/oauth2/auth/requests/consent"+query, nil, &asked); err != nil {
			return "", err
		}
		requested, err := url.Parse(asked.Requested)
		if err != nil {
			return "", err
		}
		if resource := requested.Query().Get("resource"); resource != "" {
			asked.Audience = append(asked.Audience, resource) // RFC 8707
		}
		accepted = map[string]any{
			"grant_scope": asked.Scopes, "grant_access_token_audience": asked.Audience,
			// Its logout tokens name the session and no user.
			"session": map[string]any{"access_token": map[string]any{"sid": asked.Session}},
		}
	}
	var next struct {
		URL   string `json:"redirect_to"`
		Error string `json:"error_description"`
	}
	err := b.site.administer(ctx, http.MethodPut, "/admin/oauth2/auth/requests/"+kind+"/accept"+query, accepted, &next)
	if err == nil && next.URL == "" {
		err = fmt.Errorf("the page %s: %s", kind, next.Error)
	}
	return next.URL, err
}

// refreshToken sends a refresh token as an access token. Hydra says that it is active.
func (s *suite) refreshToken(ctx context.Context) {
	granted, err := s.logIn(ctx, "person-opaque", "offline "+readStock, url.Values{"audience": {s.Opaque}})
	if s.need("a login", err) && s.need("a refresh token", same("there is one", granted.RefreshToken != "", true)) {
		s.run(ctx, row{"a refresh token: 401", call{resource: s.Opaque, token: granted.RefreshToken}, refused, "", "token_use"})
	}
}

// logIn gets a token for a user with a new browser.
func (s *suite) logIn(ctx context.Context, client, scope string, further url.Values) (grant, error) {
	b, err := s.newBrowser(s.page)
	if err != nil {
		return grant{}, err
	}
	return b.logIn(ctx, s.server, client, scope, further)
}

// hydraWithoutAudience gets tokens as a client does that names the resource as
// RFC 8707 says.
func (s *suite) hydraWithoutAudience(ctx context.Context) {
	for _, of := range []struct{ resource, strategy string }{{s.JWT, "jwt"}, {s.Opaque, "opaque"}} {
		granted, err := s.request(ctx, s.server.Token, tokenRequest{
			client: "machine-" + of.strategy, form: clientCredentials(readStock, "resource", of.resource),
		})
		if s.need("a token", err) {
			s.run(ctx, row{
				"a token of a client that asked with resource, " + of.strategy + ": 401",
				call{resource: of.resource, token: granted.AccessToken}, refused, "", "aud is empty",
			})
		}
		granted, err = s.logIn(ctx, "person-"+of.strategy, readStock, url.Values{"resource": {of.resource}})
		if s.need("a login", err) {
			s.run(ctx, row{
				"a token of a user, where the consent page grants what resource asks for, " + of.strategy + ": 200",
				call{resource: of.resource, token: granted.AccessToken}, allowed, "", "",
			})
		}
	}
}

// endHydraSession ends the session of a user.
func (s *suite) endHydraSession(ctx context.Context, b *browser, granted grant) error {
	address := s.server.EndSession + "?" + url.Values{"id_token_hint": {granted.IDToken}}.Encode()
	for range maxHops {
		next, err := b.visit(ctx, address)
		if err != nil {
			return err
		}
		if u, err := url.Parse(next); err == nil && u.Path == "/oauth2/fallbacks/logout/callback" {
			return nil
		}
		address = cmp.Or(next, address)
	}
	return errors.New("the logout goes on and on")
}
