package authtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The identifiers in the tokens of the providers, made up.
const (
	objectID     = "5e1c3b52-6f0a-4d3c-9a34-0c1f0d8e7a21" // of a user or of a service principal
	tenantID     = "7a3f1c9e-2b54-4e0d-8c66-91d5b7e2f043"
	sessionID    = "c1d5e8a0-3f72-4b96-a1c8-2e4f6a8b0d13"
	zitadelOrg   = "69234230193872955"
	zitadelID    = "69234237810729019" // of the project
	zitadelRoles = "urn:zitadel:iam:org:project:roles"
	serviceUser  = "69234241020731387"
	userName     = "ada"
	userEmail    = "ada@example.com"
	opaqueValue  = "AXQAi8IXAAAA" // of claims that only the provider understands
)

func (s shaping) keycloak() {
	s.header["typ"] = "JWT"
	s.rename("client_id", "azp")
	s.remove("roles")
	s.add(map[string]any{
		"typ": "Bearer", "acr": "1", "allowed-origins": []string{"https://app.example.com"},
		"realm_access":    map[string]any{"roles": append([]string{"default-roles-example", "offline_access", "uma_authorization"}, s.token.Roles...)},
		"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "view-profile"}}},
		"aud":             "account", "email_verified": !s.token.ForClient,
	})
	if len(s.token.Audience) > 0 {
		s.claims["aud"] = append(slices.Clone(s.token.Audience), "account")
	}
	if s.token.ForClient {
		s.subjectOfClient(objectID)
		s.add(map[string]any{
			"scope": cmp.Or(s.token.Scope, "profile email"), "jti": "trrtcc:" + s.jti(),
			"client_id": s.clientID(), "clientHost": "192.0.2.1", "clientAddress": "192.0.2.1",
			"preferred_username": "service-account-" + s.clientID(),
		})
		return
	}
	s.add(map[string]any{
		"scope": cmp.Or(s.token.Scope, "openid profile email"), "jti": "onrtac:" + s.jti(),
		"auth_time": s.claims["iat"], "sid": sessionID, "preferred_username": userName,
		"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "email": userEmail,
	})
}

// entra has what both versions have in common.
func (s shaping) entra() {
	s.header["typ"] = "JWT"
	s.subjectOfClient(objectID)
	s.rename("jti", "uti")
	s.add(map[string]any{"nbf": s.claims["iat"], "aio": opaqueValue, "rh": opaqueValue, "oid": objectID, "tid": tenantID})
	if s.token.ForClient {
		s.remove("scope")
		return
	}
	s.rename("scope", "scp")
	s.add(map[string]any{"name": "Ada Lovelace"})
}

func (s shaping) entraV2() {
	s.entra()
	s.rename("client_id", "azp")
	s.add(map[string]any{"azpacr": "1", "ver": "2.0"})
	if s.token.ForClient {
		s.add(map[string]any{"idtyp": "app"})
		return
	}
	s.add(map[string]any{"preferred_username": userEmail})
}

func (s shaping) entraV1() {
	s.entra()
	s.header["x5t"] = s.header["kid"]
	s.rename("client_id", "appid")
	s.add(map[string]any{"appidacr": "1", "ver": "1.0"})
	if s.token.ForClient {
		s.add(map[string]any{"idp": "https://sts.windows.net/" + tenantID + "/"})
		return
	}
	s.add(map[string]any{
		"acr": "1", "amr": []string{"pwd"}, "family_name": "Lovelace", "given_name": "Ada", "ipaddr": "192.0.2.1",
		"unique_name": userEmail, "upn": userEmail,
	})
}

func (s shaping) okta() {
	delete(s.header, "typ")
	s.rename("client_id", "cid")
	s.rename("roles", "groups")
	s.remove("scope")
	s.add(map[string]any{"ver": 1, "jti": "AT." + s.jti(), "scp": s.scopes()})
	if !s.token.ForClient {
		s.add(map[string]any{"uid": "00uid4BxXw6I6TV4m0g3", "auth_time": s.claims["iat"]})
	}
}

func (s shaping) auth0() {
	s.header["typ"] = "JWT"
	s.rename("client_id", "azp")
	s.rename("roles", "permissions")
	s.remove("jti")
	s.subjectOfClient(s.clientID() + "@clients")
	if s.token.ForClient {
		s.add(map[string]any{"gty": "client-credentials"})
	}
	if slices.Contains(s.scopes(), "openid") {
		s.claims["aud"] = append(slices.Clone(s.token.Audience), s.issuer+"/userinfo")
	}
}

func (s shaping) cognito() {
	delete(s.header, "typ")
	s.remove("aud")
	s.add(map[string]any{"token_use": "access", "version": 2, "auth_time": s.claims["iat"]})
	if s.token.ForClient {
		s.remove("roles")
		return
	}
	s.rename("roles", "cognito:groups")
	s.add(map[string]any{"username": userName, "origin_jti": sessionID, "event_id": objectID})
}

func (s shaping) zitadel() {
	s.header["typ"] = "JWT"
	s.subjectOfClient(serviceUser)
	s.remove("roles")
	s.add(map[string]any{"nbf": s.claims["iat"], "aud": append(slices.Clone(s.token.Audience), s.clientID(), zitadelID)})
	if !s.token.Opaque {
		s.remove("scope")
	}
	if len(s.token.Roles) == 0 {
		return
	}
	roles := make(map[string]any)
	for _, role := range s.token.Roles {
		roles[role] = map[string]string{zitadelOrg: "org.example.com"}
	}
	s.add(map[string]any{zitadelRoles: roles, "urn:zitadel:iam:org:project:" + zitadelID + ":roles": roles})
}

func (s shaping) hydra() {
	s.header["typ"] = "JWT"
	extra := map[string]any{}
	if len(s.token.Roles) > 0 {
		extra["roles"] = s.token.Roles
	}
	s.remove("roles", "scope")
	s.add(map[string]any{
		"aud": append([]string{}, s.token.Audience...), "ext": extra, "nbf": s.claims["iat"], "scp": s.scopes(),
	})
}

// google has what the tokeninfo endpoint says, save for expires_in.
func (s shaping) google() {
	const long = "https://www.googleapis.com/auth/userinfo."
	subject := s.claims["sub"]
	s.remove("iss", "sub", "iat", "jti", "aud", "roles")
	s.rename("client_id", "azp")
	scopes := strings.Fields(cmp.Or(s.token.Scope, "openid"))
	for i, scope := range scopes {
		switch scope {
		case "email":
			s.add(map[string]any{"email": userEmail, "email_verified": "true"})
			fallthrough
		case "profile":
			scopes[i] = long + scope
			fallthrough
		case "openid":
			s.claims["sub"] = subject
		}
	}
	s.add(map[string]any{
		"aud": s.clientID(), "scope": strings.Join(scopes, " "), "exp": fmt.Sprint(s.claims["exp"]), "access_type": "online",
	})
}

func (s shaping) idToken() {
	s.header["typ"] = "JWT"
	s.toClient()
	s.remove("jti")
	s.add(map[string]any{"auth_time": s.claims["iat"], "nonce": opaqueValue, "at_hash": "LDktKdoQak3Pk0cnXxCltA"})
}

func (s shaping) logoutToken() {
	s.header["typ"] = "logout+jwt"
	s.toClient()
	s.add(map[string]any{"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}})
}

// toClient removes the claims of access tokens, and makes the client the audience if
// the token has none.
func (s shaping) toClient() {
	s.remove("client_id", "scope", "roles")
	if len(s.token.Audience) == 0 {
		s.claims["aud"] = s.clientID()
	}
}

// jti returns the jti claim of RFC 9068.
func (s shaping) jti() string {
	id, _ := s.claims["jti"].(string)
	return id
}
