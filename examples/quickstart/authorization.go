package main

import (
	"crypto/rand"
	"log/slog"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

// The clients of the authorization server. Their secrets are printed, which only a
// demonstration may do.
const (
	serviceClient = "quickstart-service"
	serviceSecret = "quickstart-secret"
	nativeClient  = "quickstart-native"
	nativeSecret  = "quickstart-native-secret"
	opaqueClient  = "quickstart-opaque"
	opaqueSecret  = "opaque-secret"
	dpopClient    = "quickstart-dpop"
	dpopSecret    = "dpop-secret"
)

// introspectionClient is the client with which the services introspect tokens. It
// gets none itself, and its secret is not printed.
const introspectionClient = "quickstart-introspection"

// newAuthServer returns the authorization server. It is another party: the other
// servers know its issuer identifier, and the secret with which they introspect.
func newAuthServer(issuer, origin, mcpURL string, logger *slog.Logger) (*authServer, error) {
	clients := announcedClients()
	secret := rand.Text()
	config := authserver.Config{
		Issuer:    issuer,
		Resources: resourceNames(origin, mcpURL),
		Scopes:    []string{readStock, writeStock, readBilling, useMCP},
		Subject:   "ada",
		Logger:    logger,
	}
	for _, client := range clients {
		config.Clients = append(config.Clients, client.Client)
	}
	config.Clients = append(config.Clients, authserver.Client{ID: introspectionClient, Secret: secret})
	inner, err := authserver.New(config)
	if err != nil {
		return nil, err
	}
	return extendAuthServer(inner, clients, secret)
}

// announcedClients returns the clients of the announcement. New ones are appended,
// because programs take the first one.
func announcedClients() []client {
	service := []string{"client_credentials"}
	return []client{{
		Client: authserver.Client{ID: serviceClient, Secret: serviceSecret, GrantTypes: service},
	}, {
		Client: authserver.Client{
			ID: nativeClient,
			// Some client libraries treat a client without a secret as one with an
			// empty secret, so it has one and need not send it.
			Secret:         nativeSecret,
			SecretOptional: true,
			GrantTypes:     []string{"authorization_code"},
			RedirectURIs: []string{ // with any port
				"http://127.0.0.1/callback",
				"http://localhost/callback",
				"http://[::1]/callback",
				"http://localhost/oauth/callback",
			},
		},
	}, {
		Client:      authserver.Client{ID: opaqueClient, Secret: opaqueSecret, GrantTypes: service},
		AuthMethod:  "client_secret_basic",
		TokenFormat: opaque,
	}, {
		Client:     authserver.Client{ID: dpopClient, Secret: dpopSecret, GrantTypes: service},
		AuthMethod: "client_secret_basic",
		DPoP:       true,
	}}
}

// resourceNames returns the names under which a client may request a token for one
// of the resources. A loopback host has three names, and the library echoes the one
// that the client dialed. The URL parser of a client may write the empty path of
// the origin as a slash, which is the same URL (RFC 3986 §6.2.3).
func resourceNames(origin, mcpURL string) []string {
	names := []string{origin, origin + "/", mcpURL}
	for _, name := range names[:3] {
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]"} {
			names = append(names, replaceHost(name, host))
		}
	}
	return names
}

// replaceHost replaces the host of an absolute URL and keeps its port.
func replaceHost(absolute, host string) string {
	scheme, rest, _ := strings.Cut(absolute, "://")
	authority, path, slash := strings.Cut(rest, "/")
	port := ""
	if colon := strings.LastIndex(authority, ":"); colon > strings.LastIndex(authority, "]") {
		port = authority[colon:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + host + port + path
}
