package main

import (
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
)

// newAuthServer returns the authorization server. It is another party: the other
// servers know its issuer identifier and nothing else.
func newAuthServer(issuer, origin, mcpURL string, logger *slog.Logger) (*authserver.Server, error) {
	return authserver.New(authserver.Config{
		Issuer:    issuer,
		Resources: resourceNames(origin, mcpURL),
		Scopes:    []string{readStock, writeStock, readBilling, useMCP},
		Subject:   "ada",
		Clients: []authserver.Client{{
			ID:         serviceClient,
			Secret:     serviceSecret,
			GrantTypes: []string{"client_credentials"},
		}, {
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
		}},
		Logger: logger,
	})
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
