package verifier

import "strings"

// Keycloak returns the configuration for a realm of Keycloak, such as
// "https://login.example.com/realms/acme".
//
// Set up there: a client scope with an audience mapper that puts the identifier of
// the resource into aud, because Keycloak does not follow RFC 8707; the built-in
// client scope "basic", without which tokens since version 25 have no sub; and a
// client scope for each scope of the policy. Where the policy is to follow roles
// instead of scopes, append a [ScopeClaim] with the path {"realm_access", "roles"}
// or {"resource_access", client, "roles"} and Values; it counts in tokens without
// scope alone.
//
// A token of a service account has a preferred_username that begins with
// "service-account-"; the client scope "profile" puts it there. Where users choose their
// names, keep them from choosing such a one, or they pass for clients.
func Keycloak(realm string) JWTConfig {
	return JWTConfig{
		Issuer:        realm,
		AcceptTypeJWT: true,
		Mapping:       Mapping{Client: ClientMark{Claim: "preferred_username", Prefix: "service-account-"}},
	}
}

// Entra returns the configuration for one tenant of Microsoft Entra ID, by its ID,
// and tokens of version 2.0. With "{tenant}" it is one for several, which Tenants or
// AcceptTenant of the result name. The application is the one that stands for the
// resource: its ID is the aud of its tokens, and its URI, such as "api://orders", is
// what clients have to put before the names of its scopes. The resource is the
// identifier that the tokens open.
//
// Set up there: in the manifest of the application, requestedAccessTokenVersion 2;
// its scopes under "Expose an API"; and the optional claim idtyp, with the property
// include_user_token, without which it cannot be told whom a token speaks for. The
// policy names scopes as clients ask for them: "api://orders/Files.Read". Tokens
// that a client got for itself have roles in place of scopes; only those count that
// roles maps.
func Entra(tenant, applicationID, applicationURI, resource string, roles map[string][]string) JWTConfig {
	c := entra("https://login.microsoftonline.com/"+tenant+"/v2.0", applicationURI, roles)
	c.Mapping.Audiences = map[string]string{applicationID: resource}
	return c
}

// EntraV1 is [Entra] for tokens of version 1.0, which an application gets whose
// manifest has no requestedAccessTokenVersion. Their issuer ends with a slash, and
// their aud is the URI of the application.
func EntraV1(tenant, applicationURI, resource string, roles map[string][]string) JWTConfig {
	c := entra("https://sts.windows.net/"+tenant+"/", applicationURI, roles)
	c.Mapping.Audiences = map[string]string{applicationURI: resource}
	return c
}

func entra(issuer, applicationURI string, roles map[string][]string) JWTConfig {
	scopes := []ScopeClaim{{Path: []string{"scp"}, Prefix: strings.TrimSuffix(applicationURI, "/") + "/"}}
	if len(roles) > 0 {
		scopes = append(scopes, ScopeClaim{Path: []string{"roles"}, Values: roles})
	}
	return JWTConfig{
		Issuer:        issuer,
		AcceptTypeJWT: true,
		Mapping:       Mapping{Scopes: scopes, Client: ClientMark{Claim: "idtyp", Value: "app"}},
	}
}

// Okta returns the configuration for a custom authorization server of Okta, such as
// "https://example.okta.com/oauth2/default". The org authorization server, without
// /oauth2, issues tokens for Okta alone.
//
// Set up there: an authorization server whose audience is the identifier of the
// resource, because Okta does not follow RFC 8707, and the scopes of the policy. A
// token that a client got for itself has the client as its sub.
func Okta(authorizationServer string) JWTConfig {
	return JWTConfig{
		Issuer:        authorizationServer,
		AcceptTypeJWT: true,
		Algorithms:    []string{"RS256"},
		Mapping:       Mapping{Scopes: []ScopeClaim{{Path: []string{"scp"}}}},
	}
}

// Auth0 returns the configuration for a tenant of Auth0, by its domain, such as
// "example.eu.auth0.com". The issuer ends with a slash.
//
// Set up there: an API whose identifier is that of the resource. Clients have to ask
// for it with the parameter audience, because a token without it is opaque and good
// for Auth0 alone; the default audience of the tenant does that for those that send
// resource. With "Add Permissions in the Access Token", append a [ScopeClaim] with
// the path {"permissions"}; it counts in tokens without scope alone.
//
// A token that a client got for itself has a sub that ends with "@clients".
func Auth0(domain string) JWTConfig {
	return JWTConfig{
		Issuer:        "https://" + domain + "/",
		AcceptTypeJWT: true,
		Algorithms:    []string{"RS256"},
		Mapping: Mapping{
			Scopes: []ScopeClaim{{Path: []string{"scope"}}},
			Client: ClientMark{Claim: "sub", Suffix: "@clients"},
		},
	}
}

// Cognito returns the configuration for a user pool of Amazon Cognito, such as
// "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE". The clients
// are those whose tokens open the resource: Cognito has no aud, so the client takes
// its place, at the price that [Mapping].AudienceFromClientID states.
//
// Set up there: a resource server with the scopes of the policy, whose names are
// "identifier/scope", and an app client that may ask for them.
func Cognito(userPool, resource string, clients ...string) JWTConfig {
	return JWTConfig{
		Issuer:        userPool,
		AcceptTypeJWT: true,
		Algorithms:    []string{"RS256"},
		Mapping:       Mapping{Scopes: []ScopeClaim{{Path: []string{"scope"}}}, Audiences: audiencesOf(clients, resource), AudienceFromClientID: true},
	}
}

// ZITADEL returns the configuration for an instance of ZITADEL, such as
// "https://example.zitadel.cloud", and a project whose ID is the aud of its tokens.
// Roles are what the roles of the project stand for; only those count.
//
// Set up there: JWT as the access token type of the application, because the
// default, and that of clients which registered themselves, are opaque tokens, for
// which there is [IntrospectionConfig]; "Assert Roles on Authentication" for the
// project. Clients ask for the scope
// "urn:zitadel:iam:org:project:id:<project>:aud".
//
// ZITADEL does not say whether a token is one of a machine user. An action that adds
// the claim user_type, "machine" or "human", does.
func ZITADEL(instance, project, resource string, roles map[string][]string) JWTConfig {
	return JWTConfig{
		Issuer:        instance,
		AcceptTypeJWT: true,
		Mapping: Mapping{
			Scopes:    []ScopeClaim{{Path: []string{"urn:zitadel:iam:org:project:roles"}, Keys: true, Values: roles}},
			Audiences: map[string]string{project: resource},
			Client:    ClientMark{Claim: "user_type", Value: "machine"},
		},
	}
}

// Hydra returns the configuration for an issuer of Ory Hydra.
//
// Set up there: strategies.access_token: jwt; the identifier of the resource in the
// list audience of each client, and clients that ask for it with the parameter
// audience, without which aud is empty and the token is refused. Opaque tokens,
// which are the default, need an [IntrospectionConfig] with the endpoint of the
// admin API.
func Hydra(issuer string) JWTConfig {
	return JWTConfig{
		Issuer:        issuer,
		AcceptTypeJWT: true,
		Algorithms:    []string{"RS256"},
		Mapping:       Mapping{Scopes: []ScopeClaim{{Path: []string{"scp"}}}},
	}
}

// Google returns the configuration for the access tokens of Google, which are opaque,
// for [Config].Introspection: the tokeninfo endpoint takes the place of introspection.
// The clients are those whose tokens open the resource, at least one. A service account
// is a client by its unique ID.
//
// Google cannot say that a token was meant for the resource: aud is the client that it
// was issued to, and anybody can register a client at Google. So the client takes the
// place of the resource. Whatever another server gets of these clients' tokens it can
// use here, and this server can use the tokens that it gets at the APIs of Google, as
// far as their scopes allow.
//
// Set up there: an OAuth client for this resource, which is used for no other server.
// Clients ask for the scope openid, without which there is no sub and the token is
// refused, and for no scope of an API. The scopes are those of Google alone, by their
// long names where they have one: "https://www.googleapis.com/auth/userinfo.email" for
// "email". What else the policy distinguishes, it has to tell by the subject. Google limits
// the rate of the endpoint; what it refuses for that is an outage, and a longer
// AnswerLifetime asks less often.
//
// Google registers no clients by itself (RFC 7591) and does not follow RFC 8707. An MCP
// client gets tokens only if its user can enter the client ID, and the secret that
// Google wants of most kinds of clients; all users of an ID are users of one client. For
// other MCP clients, use an authorization server whose tokens are for the resource, such
// as Keycloak or ZITADEL, with Google as its identity provider.
func Google(resource string, clients ...string) IntrospectionConfig {
	return IntrospectionConfig{
		Issuer:    "https://accounts.google.com",
		Endpoint:  "https://oauth2.googleapis.com/tokeninfo",
		TokenInfo: true,
		Mapping:   Mapping{Scopes: []ScopeClaim{{Path: []string{"scope"}}}, Audiences: audiencesOf(clients, resource)},
	}
}

// audiencesOf makes tokens of the clients those of the resource.
func audiencesOf(clients []string, resource string) map[string]string {
	audiences := make(map[string]string, len(clients))
	for _, client := range clients {
		audiences[client] = resource
	}
	return audiences
}
