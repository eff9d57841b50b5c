package authtest_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

// TestShapes: a token has the claims that the doc of its shape lists, and no others.
func TestShapes(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	for _, tt := range []struct {
		shape     authtest.Shape
		forClient bool
		typ       any
		claims    string         // besides iss, iat and exp
		values    map[string]any // of some
	}{
		{authtest.ShapeRFC9068, false, "at+jwt", "sub client_id jti aud scope roles", map[string]any{"sub": "user-1", "client_id": "client-1"}},
		{authtest.ShapeRFC9068, true, "at+jwt", "sub client_id jti aud scope roles", map[string]any{"sub": "client-1", "client_id": "client-1"}},
		{
			authtest.ShapeKeycloak, false, "JWT",
			"sub aud jti typ azp acr allowed-origins scope realm_access resource_access email_verified preferred_username auth_time sid name given_name family_name email",
			map[string]any{
				"sub": "user-1", "azp": "client-1", "typ": "Bearer", "scope": "openid read", "aud": []any{api, "account"}, "acr": "1",
				"realm_access": map[string]any{"roles": []any{"default-roles-example", "offline_access", "uma_authorization", "admin"}},
			},
		},
		{
			authtest.ShapeKeycloak, true, "JWT",
			"sub aud jti typ azp acr allowed-origins scope realm_access resource_access email_verified preferred_username client_id clientHost clientAddress",
			map[string]any{"azp": "client-1", "client_id": "client-1", "preferred_username": "service-account-client-1"},
		},
		{
			authtest.ShapeEntraV2, false, "JWT", "sub aud nbf aio azp azpacr oid rh roles tid uti ver name preferred_username scp",
			map[string]any{"aud": api, "azp": "client-1", "azpacr": "1", "ver": "2.0", "scp": "openid read", "roles": []any{"admin"}},
		},
		{
			authtest.ShapeEntraV2, true, "JWT", "sub aud nbf aio azp azpacr oid rh roles tid uti ver idtyp",
			map[string]any{"azp": "client-1", "idtyp": "app", "roles": []any{"admin"}},
		},
		{
			authtest.ShapeEntraV1, false, "JWT",
			"sub aud nbf aio appid appidacr oid rh roles tid uti ver acr amr family_name given_name ipaddr name scp unique_name upn",
			map[string]any{"appid": "client-1", "ver": "1.0", "scp": "openid read"},
		},
		{
			authtest.ShapeEntraV1, true, "JWT", "sub aud nbf aio appid appidacr oid rh roles tid uti ver idp",
			map[string]any{"appid": "client-1", "ver": "1.0"},
		},
		{
			authtest.ShapeOkta, false, nil, "sub aud ver jti cid scp groups uid auth_time",
			map[string]any{"ver": 1.0, "cid": "client-1", "scp": []any{"openid", "read"}, "groups": []any{"admin"}},
		},
		{authtest.ShapeOkta, true, nil, "sub aud ver jti cid scp groups", map[string]any{"sub": "client-1", "cid": "client-1"}},
		{
			authtest.ShapeAuth0, false, "JWT", "sub aud azp scope permissions",
			map[string]any{"azp": "client-1", "aud": []any{api, issuer.URL + "/userinfo"}, "permissions": []any{"admin"}},
		},
		{authtest.ShapeAuth0, true, "JWT", "sub aud azp scope permissions gty", map[string]any{"sub": "client-1@clients", "gty": "client-credentials"}},
		{
			authtest.ShapeCognito, false, nil, "sub client_id token_use version scope jti auth_time username origin_jti event_id cognito:groups",
			map[string]any{"client_id": "client-1", "token_use": "access", "version": 2.0, "scope": "openid read", "cognito:groups": []any{"admin"}},
		},
		{
			authtest.ShapeCognito, true, nil, "sub client_id token_use version scope jti auth_time",
			map[string]any{"sub": "client-1", "client_id": "client-1"},
		},
		{
			authtest.ShapeZITADEL, false, "JWT",
			"sub aud client_id jti nbf urn:zitadel:iam:org:project:roles urn:zitadel:iam:org:project:69234237810729019:roles",
			map[string]any{
				"aud":                               []any{api, "client-1", "69234237810729019"},
				"urn:zitadel:iam:org:project:roles": map[string]any{"admin": map[string]any{"69234230193872955": "org.example.com"}},
			},
		},
		{
			authtest.ShapeZITADEL, true, "JWT",
			"sub aud client_id jti nbf urn:zitadel:iam:org:project:roles urn:zitadel:iam:org:project:69234237810729019:roles",
			map[string]any{"sub": "69234241020731387", "client_id": "client-1"},
		},
		{
			authtest.ShapeHydra, false, "JWT", "sub aud client_id ext jti nbf scp",
			map[string]any{"aud": []any{api}, "scp": []any{"openid", "read"}, "ext": map[string]any{"roles": []any{"admin"}}},
		},
		{authtest.ShapeHydra, true, "JWT", "sub aud client_id ext jti nbf scp", map[string]any{"sub": "client-1"}},
		{authtest.ShapeIDToken, false, "JWT", "sub aud auth_time nonce at_hash", map[string]any{"aud": api}},
		{
			authtest.ShapeLogoutToken, false, "logout+jwt", "sub aud jti events",
			map[string]any{"aud": api, "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}},
		},
	} {
		t.Run(fmt.Sprintf("%v for client %t", tt.shape, tt.forClient), func(t *testing.T) {
			t.Parallel()
			minted := authtest.Token{Shape: tt.shape, ForClient: tt.forClient, Audience: []string{api}, Scope: "openid read", Roles: []string{"admin"}}
			raw := issuer.Mint(minted)
			if err := verify(t, issuer, raw); err != nil {
				t.Error(err)
			}
			header, claims := parts(t, raw)
			if header["typ"] != tt.typ || (header["x5t"] != nil) != (tt.shape == authtest.ShapeEntraV1) {
				t.Errorf("the header is %v", header)
			}
			want := slices.Sorted(slices.Values(append(strings.Fields(tt.claims), "iss", "iat", "exp")))
			if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, want) {
				t.Errorf("claims are\n%q, want\n%q", got, want)
			}
			for name, value := range tt.values {
				if !reflect.DeepEqual(claims[name], value) {
					t.Errorf("%s is %v, want %v", name, claims[name], value)
				}
			}
			minted.Subject, minted.ClientID, minted.Confirmation = "alice", "shop", map[string]any{"jkt": "x"}
			if _, claims := parts(t, issuer.Mint(minted)); claims["sub"] != "alice" || !reflect.DeepEqual(claims["cnf"], map[string]any{"jkt": "x"}) {
				t.Errorf("claims are %v", claims)
			}
		})
	}
}

// TestBareShapes: what a token without audience, scope and roles looks like.
func TestBareShapes(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	for _, tt := range []struct {
		name   string
		token  authtest.Token
		values map[string]any // nil for a claim that is absent
	}{
		{"Keycloak", authtest.Token{Shape: authtest.ShapeKeycloak}, map[string]any{"aud": "account", "scope": "openid profile email"}},
		{"Keycloak client", authtest.Token{Shape: authtest.ShapeKeycloak, ForClient: true}, map[string]any{"aud": "account", "scope": "profile email"}},
		{"Entra", authtest.Token{Shape: authtest.ShapeEntraV2}, map[string]any{"scp": nil, "roles": nil, "aud": nil}},
		{"Okta", authtest.Token{Shape: authtest.ShapeOkta}, map[string]any{"scp": []any{}, "groups": nil}},
		{"Auth0", authtest.Token{Shape: authtest.ShapeAuth0, Audience: []string{api}}, map[string]any{"aud": api, "permissions": nil}},
		{"Cognito", authtest.Token{Shape: authtest.ShapeCognito}, map[string]any{"cognito:groups": nil}},
		{"ZITADEL", authtest.Token{Shape: authtest.ShapeZITADEL}, map[string]any{"urn:zitadel:iam:org:project:roles": nil}},
		{"Hydra", authtest.Token{Shape: authtest.ShapeHydra}, map[string]any{"aud": []any{}, "scp": []any{}, "ext": map[string]any{}}},
		{"ID token", authtest.Token{Shape: authtest.ShapeIDToken}, map[string]any{"aud": "client-1"}},
		{"logout token", authtest.Token{Shape: authtest.ShapeLogoutToken, Claims: map[string]any{"sid": "s", "sub": authtest.Omit}}, map[string]any{
			"aud": "client-1", "sid": "s", "sub": nil,
		}},
	} {
		_, claims := parts(t, issuer.Mint(tt.token))
		for name, want := range tt.values {
			if got := claims[name]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s is %v, want %v", tt.name, name, got, want)
			}
		}
	}
}

// TestOpaqueShapes: an opaque token has a shape, too, and that of ZITADEL has its
// scope there.
func TestOpaqueShapes(t *testing.T) {
	t.Parallel()
	issuer := newClientIssuer(t)
	// Header and Algorithm have no effect.
	raw := issuer.Mint(authtest.Token{Shape: authtest.ShapeZITADEL, Opaque: true, Scope: "read", Algorithm: "RS256", Header: map[string]any{"x": 1}})
	if got := introspect(t, issuer, raw); !strings.Contains(got, `"scope":"read"`) || !strings.Contains(got, "69234237810729019") {
		t.Errorf("got %s", got)
	}
}

func TestUnknownShape(t *testing.T) {
	t.Parallel()
	const unknown = authtest.ShapeLogoutToken + 1
	if got := unknown.String(); got != "Shape(12)" {
		t.Errorf("got %s", got)
	}
	for _, isOpaque := range []bool{true, false} {
		recorder := &recorder{TB: t}
		if raw := authtest.NewIssuer(recorder).Mint(authtest.Token{Shape: unknown, Opaque: isOpaque}); raw != "" || len(recorder.errors) != 1 {
			t.Errorf("got %q and %q", raw, recorder.errors)
		}
	}
}
