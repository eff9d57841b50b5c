package authtest

import (
	"cmp"
	"fmt"
	"strings"
)

// A Shape is what the tokens of a provider look like: the typ of the header, and
// the names and the form of the claims. The iss claim is that of the issuer in
// every shape; [Token.Claims] overrides this and the other claims.
//
// The shapes have claims from the fields of a [Token] and claims with constant
// values. The constants below list all of them, so that a test knows what is not
// there. "User" and "client" are the tokens without and with [Token.ForClient]. All
// have iss, iat, exp and, unless they say otherwise, sub.
type Shape uint8

// The shapes of access tokens, and those of two other tokens of an OpenID provider,
// which are no access tokens.
const (
	// ShapeRFC9068 has typ "at+jwt" and the claims aud, client_id, jti, scope and
	// roles (RFC 9068 §2.2). The sub of a client is its client_id.
	ShapeRFC9068 Shape = iota

	// ShapeKeycloak is that of Keycloak 26. typ is "JWT". The claims are aud (the
	// audience and "account"), jti, typ "Bearer", azp, acr "1", allowed-origins,
	// scope, realm_access.roles (the roles and Keycloak's default ones),
	// resource_access.account.roles, email_verified and preferred_username. An
	// empty scope is "openid profile email" for users, and "profile email" for
	// clients.
	//
	// User: auth_time, sid, name, given_name, family_name and email besides.
	// Client: client_id, clientHost and clientAddress besides, preferred_username
	// is "service-account-" and the client ID, and sub is a UUID.
	ShapeKeycloak

	// ShapeEntraV2 is that of Microsoft Entra ID, version 2. typ is "JWT". The
	// claims are aud, nbf, aio, azp, azpacr "1", oid, rh, roles, tid, uti and ver
	// "2.0". There is no jti.
	//
	// User: name, preferred_username and scp, a string, besides. Client: idtyp
	// "app" besides, no scope of any kind, and sub is the oid.
	ShapeEntraV2

	// ShapeEntraV1 is that of Microsoft Entra ID, version 1. typ is "JWT", and
	// the header has x5t. The claims are aud, nbf, aio, appid, appidacr "1", oid,
	// rh, roles, tid, uti and ver "1.0". There is no jti.
	//
	// User: acr "1", amr, family_name, given_name, ipaddr, name, scp, a string,
	// unique_name and upn besides. Client: idp besides, no scope of any kind, and
	// sub is the oid.
	ShapeEntraV1

	// ShapeOkta is that of a custom authorization server of Okta. There is no typ.
	// The claims are aud, ver 1, jti "AT.…", cid, scp, an array, and groups (the
	// roles).
	//
	// User: uid and auth_time besides. Client: sub is the client ID.
	ShapeOkta

	// ShapeAuth0 is the default profile of Auth0. typ is "JWT". The claims are aud
	// (with the scope "openid" also the userinfo endpoint), azp, scope and
	// permissions (the roles). There is no jti.
	//
	// Client: gty "client-credentials" besides, and sub is the client ID with
	// "@clients".
	ShapeAuth0

	// ShapeCognito is that of Amazon Cognito. There is no typ, and no aud, even if
	// the token has an audience. The claims are client_id, token_use "access",
	// version 2, scope, jti and auth_time.
	//
	// User: username, origin_jti, event_id and cognito:groups (the roles) besides.
	// Client: sub is the client ID.
	ShapeCognito

	// ShapeZITADEL is that of ZITADEL. typ is "JWT". The claims are aud (an array
	// of the audience, the client ID and the project ID "69234237810729019"),
	// client_id, jti and nbf. The roles are in urn:zitadel:iam:org:project:roles,
	// such as {"admin":{"69234230193872955":"org.example.com"}}, and in the claim
	// of that name with the project ID before "roles". A JWT has no scope; the
	// introspection of an opaque token has.
	//
	// Client: sub is the number of the service user.
	ShapeZITADEL

	// ShapeHydra is that of Ory Hydra. typ is "JWT". The claims are aud (an array,
	// which may be empty), client_id, ext (an object, which has the roles, if
	// there are any), jti, nbf and scp (an array).
	//
	// Client: sub is the client ID.
	ShapeHydra

	// ShapeGoogle is that of Google. The token is opaque, whatever [Token.Opaque] says,
	// and only the endpoint at [TokenInfoPath] knows it. There it has no iss and no
	// iat. The claims are azp, aud (the client ID, even if the token has an
	// audience), exp (a string), scope and access_type "online". The scopes "email" and
	// "profile" have their long names there, and an empty scope is "openid". With
	// openid, email or profile there is a sub, and with email there are email and
	// email_verified "true", a string.
	//
	// Client: sub is the client ID, as for a service account, whose ID is a number.
	ShapeGoogle

	// ShapeIDToken is an ID token (OpenID Connect Core §2), which must not pass for
	// an access token. typ is "JWT". The claims are aud (the client ID if the
	// token has no audience), auth_time, nonce and at_hash.
	ShapeIDToken

	// ShapeLogoutToken is a logout token (OpenID Connect Back-Channel Logout §2.4),
	// which must not pass for an access token. typ is "logout+jwt". The claims are
	// aud (the client ID if the token has no audience), jti and events. A sid, and
	// no sub, come from [Token.Claims].
	ShapeLogoutToken
)

// shapes has the name of each shape, and what changes a token of RFC 9068 into one
// of the shape.
var shapes = [...]struct {
	name   string
	change func(shaping)
}{
	ShapeRFC9068:     {"RFC 9068", func(shaping) {}},
	ShapeKeycloak:    {"Keycloak", shaping.keycloak},
	ShapeEntraV2:     {"Entra v2", shaping.entraV2},
	ShapeEntraV1:     {"Entra v1", shaping.entraV1},
	ShapeOkta:        {"Okta", shaping.okta},
	ShapeAuth0:       {"Auth0", shaping.auth0},
	ShapeCognito:     {"Cognito", shaping.cognito},
	ShapeZITADEL:     {"ZITADEL", shaping.zitadel},
	ShapeHydra:       {"Hydra", shaping.hydra},
	ShapeGoogle:      {"Google", shaping.google},
	ShapeIDToken:     {"ID token", shaping.idToken},
	ShapeLogoutToken: {"logout token", shaping.logoutToken},
}

// String returns the name of the provider. Tests name their subtests by it.
func (s Shape) String() string {
	if int(s) >= len(shapes) {
		return fmt.Sprintf("Shape(%d)", uint8(s))
	}
	return shapes[s].name
}

func (s Shape) apply(token shaping) error {
	if int(s) >= len(shapes) {
		return fmt.Errorf("there is no %v", s)
	}
	shapes[s].change(token)
	return nil
}

// A shaping is a token of RFC 9068 that gets another shape.
type shaping struct {
	issuer         string
	token          Token
	header, claims map[string]any
}

// rename moves a claim, if there is one.
func (s shaping) rename(from, to string) {
	if value, ok := s.claims[from]; ok {
		delete(s.claims, from)
		s.claims[to] = value
	}
}

// add sets claims.
func (s shaping) add(claims map[string]any) { override(s.claims, claims) }

func (s shaping) remove(names ...string) {
	for _, name := range names {
		delete(s.claims, name)
	}
}

// subjectOfClient sets the sub of a client's own token, unless the test does.
func (s shaping) subjectOfClient(subject string) {
	if s.token.ForClient {
		s.claims["sub"] = cmp.Or(s.token.Subject, subject)
	}
}

func (s shaping) clientID() string { return cmp.Or(s.token.ClientID, defaultClientID) }

// scopes returns the scopes as an array, which may be empty.
func (s shaping) scopes() []string { return append([]string{}, strings.Fields(s.token.Scope)...) }
