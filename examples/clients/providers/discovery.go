package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// A protectedResource is a metadata document of RFC 9728 §2.
type protectedResource struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
	Algorithms           []string `json:"dpop_signing_alg_values_supported"`
	Certificates         bool     `json:"tls_client_certificate_bound_access_tokens"`
}

// An authorizationServer is a metadata document of RFC 8414 §2.
type authorizationServer struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
	Aliases       struct {
		Token string `json:"token_endpoint"`
	} `json:"mtls_endpoint_aliases"`

	place string // where it was found
}

// discover goes the way of a client that knows nothing but the URL of a resource: a
// refusal, the metadata of the resource, those of the authorization server.
func (s site) discover(ctx context.Context, resource string) (protectedResource, authorizationServer, error) {
	got, err := call{resource: resource}.send(ctx, s)
	if err == nil {
		err = got.is(outcome{status: http.StatusUnauthorized, scopes: readStock})
	}
	var document protectedResource
	if err == nil {
		err = s.get(ctx, got.challenges[0].ResourceMetadataURL, &document)
	}
	switch {
	case err != nil:
		return document, authorizationServer{}, err
	case document.Resource != resource: // RFC 9728 §3.3
		return document, authorizationServer{}, fmt.Errorf("the document is that of %s", document.Resource)
	case !slices.Equal(document.AuthorizationServers, []string{s.Issuer}):
		return document, authorizationServer{}, fmt.Errorf("the authorization servers are %q", document.AuthorizationServers)
	}
	server, err := s.discoverServer(ctx, document.AuthorizationServers[0])
	return document, server, err
}

// discoverServer looks for the metadata at the place of RFC 8414 §3.1, and then at
// that of OpenID Connect Discovery §4.1.
func (s site) discoverServer(ctx context.Context, issuer string) (authorizationServer, error) {
	var failed []error
	for _, place := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		var server authorizationServer
		err := s.get(ctx, issuer+place, &server)
		if err == nil && server.Issuer != issuer { // RFC 8414 §3.3
			err = fmt.Errorf("%s: the issuer is %q", place, server.Issuer)
		}
		if err == nil {
			server.place = place
			return server, nil
		}
		failed = append(failed, err)
	}
	return authorizationServer{}, errors.Join(failed...)
}

func (s site) get(ctx context.Context, address string, into any) error {
	if _, err := url.ParseRequestURI(address); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	_, err = exchange(s.client(nil), req, into)
	return err
}
