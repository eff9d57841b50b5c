package verifier_test

import (
	"slices"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestProfiles: the configuration for a provider accepts tokens of exactly the shape
// that the provider sends, reads them rightly, and accepts no other token of it.
func TestProfiles(t *testing.T) {
	const app, project = "11111111-2222-3333-4444-555555555555", "69234237810729019"
	roles := map[string][]string{"orders-admin": {"orders:write"}}
	keycloakRoles := verifier.Keycloak("https://login.example.com/realms/acme")
	keycloakRoles.Mapping.Scopes = []verifier.ScopeClaim{{Path: []string{"realm_access", "roles"}, Values: roles}}
	auth0Permissions := verifier.Auth0("example.eu.auth0.com")
	auth0Permissions.Mapping.Scopes = []verifier.ScopeClaim{{Path: []string{"permissions"}}}
	for _, row := range []struct {
		name   string
		config verifier.JWTConfig
		issuer string // of the configuration
		token  authtest.Token
		scopes []string
		party  token.Party // of a user's token; a client's is PartyClient
		client token.Party
	}{
		{
			"Keycloak", verifier.Keycloak("https://login.example.com/realms/acme"), "https://login.example.com/realms/acme",
			authtest.Token{Shape: authtest.ShapeKeycloak, Audience: []string{api}, Scope: "profile orders:read"}, []string{"profile", "orders:read"}, token.PartyUser, token.PartyClient,
		},
		{
			"Keycloak, roles", keycloakRoles, "https://login.example.com/realms/acme",
			authtest.Token{Shape: authtest.ShapeKeycloak, Audience: []string{api}, Roles: []string{"orders-admin", "other"}}, []string{"orders:write"}, token.PartyUser, token.PartyClient,
		},
		{
			"Entra", verifier.Entra("acme", app, "api://orders", api, roles), "https://login.microsoftonline.com/acme/v2.0",
			authtest.Token{Shape: authtest.ShapeEntraV2, Audience: []string{app}, Scope: "Orders.Read", Roles: []string{"orders-admin"}}, []string{"api://orders/Orders.Read"}, token.PartyUnknown, token.PartyClient,
		},
		{
			"Entra with idtyp", verifier.Entra("acme", app, "api://orders/", api, nil), "https://login.microsoftonline.com/acme/v2.0",
			authtest.Token{Shape: authtest.ShapeEntraV2, Audience: []string{app}, Scope: "Orders.Read", Claims: map[string]any{"idtyp": "user"}}, []string{"api://orders/Orders.Read"}, token.PartyUser, token.PartyUser,
		},
		{
			"Entra, version 1", verifier.EntraV1("acme", "api://orders", api, roles), "https://sts.windows.net/acme/",
			authtest.Token{Shape: authtest.ShapeEntraV1, Audience: []string{"api://orders"}, Scope: "Orders.Read"}, []string{"api://orders/Orders.Read"}, token.PartyUnknown, token.PartyUnknown,
		},
		{
			"Okta", verifier.Okta("https://example.okta.com/oauth2/default"), "https://example.okta.com/oauth2/default",
			authtest.Token{Shape: authtest.ShapeOkta, Audience: []string{api}, Scope: "orders:read"}, []string{"orders:read"}, token.PartyUser, token.PartyClient,
		},
		{
			"Auth0", verifier.Auth0("example.eu.auth0.com"), "https://example.eu.auth0.com/",
			authtest.Token{Shape: authtest.ShapeAuth0, Audience: []string{api}, Scope: "openid orders:read"}, []string{"openid", "orders:read"}, token.PartyUser, token.PartyClient,
		},
		{
			"Auth0, permissions", auth0Permissions, "https://example.eu.auth0.com/",
			authtest.Token{Shape: authtest.ShapeAuth0, Audience: []string{api}, Scope: "openid", Roles: []string{"orders:write"}}, []string{"orders:write"}, token.PartyUser, token.PartyClient,
		},
		{
			"Cognito", verifier.Cognito("https://cognito-idp.eu-central-1.amazonaws.com/pool", api, "client-0", "client-1"), "https://cognito-idp.eu-central-1.amazonaws.com/pool",
			authtest.Token{Shape: authtest.ShapeCognito, Scope: "orders/read"}, []string{"orders/read"}, token.PartyUser, token.PartyClient,
		},
		{
			"ZITADEL", verifier.ZITADEL("https://example.zitadel.cloud", project, api, roles), "https://example.zitadel.cloud",
			authtest.Token{Shape: authtest.ShapeZITADEL, Roles: []string{"orders-admin", "other"}}, []string{"orders:write"}, token.PartyUnknown, token.PartyUnknown,
		},
		{
			"Hydra", verifier.Hydra("https://hydra.example.com"), "https://hydra.example.com",
			authtest.Token{Shape: authtest.ShapeHydra, Audience: []string{api}, Scope: "orders:read"}, []string{"orders:read"}, token.PartyUser, token.PartyClient,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.config.Issuer != row.issuer {
				t.Errorf("the issuer is %s, want %s", row.config.Issuer, row.issuer)
			}
			if _, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{row.config}}); err != nil {
				t.Error(err)
			}
			issuer := authtest.NewIssuer(t, "RS256")
			row.config.Issuer = issuer.URL
			v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{row.config}})
			for _, forClient := range []bool{false, true} {
				minted, want := row.token, row.party
				if minted.ForClient = forClient; forClient {
					want = row.client
				}
				info := wants(t, v, issuer.Mint(minted), nil, nil)
				if info == nil || info.ClientID != "client-1" || !slices.Contains(info.Audience, api) || info.Party != want {
					t.Fatalf("for a client %t: got %+v, want %v", forClient, info, want)
				}
				if !forClient && !slices.Equal(info.Scopes, row.scopes) {
					t.Errorf("got the scopes %q, want %q", info.Scopes, row.scopes)
				}
			}
			for _, shape := range []authtest.Shape{authtest.ShapeIDToken, authtest.ShapeLogoutToken} {
				wants(t, v, issuer.Mint(authtest.Token{Shape: shape, Audience: []string{api}}), nil, token.ErrInvalid)
			}
		})
	}
}

// TestEntraRoles: a token without scp has the scopes that its roles stand for, and no
// others.
func TestEntraRoles(t *testing.T) {
	issuer := authtest.NewIssuer(t, "RS256")
	config := verifier.Entra("acme", "app", "api://orders", api, map[string][]string{"Orders.All": {"api://orders/Orders.Read"}})
	config.Issuer = issuer.URL
	v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{config}})
	info := wants(t, v, issuer.Mint(authtest.Token{Shape: authtest.ShapeEntraV2, ForClient: true, Audience: []string{"app"}, Roles: []string{"Orders.All", "api://orders/Orders.Write"}}), nil, nil)
	if info == nil || !slices.Equal(info.Scopes, []string{"api://orders/Orders.Read"}) {
		t.Errorf("got %+v", info)
	}
}

// TestHydraWithoutAudience: a token that nobody asked an audience for opens nothing.
func TestHydraWithoutAudience(t *testing.T) {
	issuer := authtest.NewIssuer(t, "RS256")
	v := newVerifier(t, verifier.Config{JWT: []verifier.JWTConfig{verifier.Hydra(issuer.URL)}})
	wants(t, v, issuer.Mint(authtest.Token{Shape: authtest.ShapeHydra}), nil, token.ErrInvalid)
}

// TestGoogle: the configuration for Google accepts its tokens from the clients that it
// lists, and their audience is the resource.
func TestGoogle(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	config := verifier.Google(api, "client-1", "112233")
	if config.Issuer != "https://accounts.google.com" || config.Endpoint != "https://oauth2.googleapis.com/tokeninfo" {
		t.Errorf("got %s and %s", config.Issuer, config.Endpoint)
	}
	config.Endpoint = issuer.URL + authtest.TokenInfoPath
	config.Mapping.Claims = []string{"email", "email_verified"}
	v := newVerifier(t, verifier.Config{Introspection: []verifier.IntrospectionConfig{config}})
	for _, row := range []struct {
		name   string
		token  authtest.Token
		scopes []string
		party  token.Party
		class  error
	}{
		{"a user", authtest.Token{Scope: "openid email"}, []string{"openid", "https://www.googleapis.com/auth/userinfo.email"}, token.PartyUser, nil},
		{"a service account", authtest.Token{ForClient: true, ClientID: "112233"}, []string{"openid"}, token.PartyClient, nil},
		{"R8707-2 a service account of a stranger", authtest.Token{ForClient: true, ClientID: "445566"}, nil, 0, token.ErrInvalid},
		{"R8707-2 a client of a stranger", authtest.Token{Audience: []string{api}, ClientID: "x.apps.googleusercontent.com"}, nil, 0, token.ErrInvalid},
		{"no subject", authtest.Token{Scope: "https://www.googleapis.com/auth/drive"}, nil, 0, token.ErrInvalid},
	} {
		row.token.Shape = authtest.ShapeGoogle
		info := wants(t, v, issuer.Mint(row.token), &token.Resource{Identifier: api, Issuers: []string{config.Issuer}}, row.class)
		if row.class != nil {
			continue
		}
		if info == nil || info.Issuer != config.Issuer || !slices.Contains(info.Audience, api) || !slices.Equal(info.Scopes, row.scopes) || info.Party != row.party {
			t.Errorf("%s: got %+v", row.name, info)
		} else if row.party == token.PartyUser && (info.Claims["email"] != "ada@example.com" || info.Claims["email_verified"] != "true") {
			t.Errorf("%s: got %v", row.name, info.Claims)
		}
	}
}
