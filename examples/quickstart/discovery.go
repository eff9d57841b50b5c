package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// challenge is a parsed WWW-Authenticate value.
type challenge struct {
	header   string
	params   map[string]string
	metadata string
	scopes   []string
}

func parseChallenge(header string) (challenge, error) {
	parsed, err := oauthex.ParseWWWAuthenticate([]string{header})
	if err != nil {
		return challenge{}, err
	}
	if len(parsed) != 1 || parsed[0].Scheme != "bearer" {
		return challenge{}, fmt.Errorf("expected one Bearer challenge, got %q", header)
	}
	params := parsed[0].Params
	return challenge{
		header:   header,
		params:   params,
		metadata: params["resource_metadata"],
		scopes:   strings.Fields(params["scope"]),
	}, nil
}

// metadata is what the walk-through needs of a protected resource metadata
// document (RFC 9728 §2).
type metadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
}

// serverMetadata is what it needs of the metadata of an authorization server
// (RFC 8414 §2).
type serverMetadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	GrantTypes    []string `json:"grant_types_supported"`
	PKCE          []string `json:"code_challenge_methods_supported"`
}

// readChallenge explains what the refusals said.
func (w *walker) readChallenge(context.Context) error {
	_, blamed := w.challenge.params["error"]
	w.got("realm              %s", w.challenge.params["realm"])
	w.got("scope              %s", strings.Join(w.challenge.scopes, " "))
	w.got("resource_metadata  %s", w.challenge.metadata)
	w.space()
	w.say(`The realm is the service. The scope is what to ask for. The URL says where to go on
		(RFC 9728). There is no "error": whoever sent no token did nothing wrong (RFC 6750 §3.1).`)
	return errors.Join(
		same("the realm", w.challenge.params["realm"], inventoryService),
		same("the scope", strings.Join(w.challenge.scopes, " "), readStock),
		same("resource_metadata", w.challenge.metadata, w.house.Connect+"/.well-known/oauth-protected-resource"),
		same("the presence of an error", blamed, false))
}

// readMetadata follows the challenge.
func (w *walker) readMetadata(ctx context.Context) error {
	if err := w.getJSON(ctx, w.challenge.metadata, &w.metadata); err != nil {
		return err
	}
	seen := w.http1.last()
	w.sent("%s", seen.request())
	w.got("%s", seen.answer())
	w.got("%s", indentJSON(seen.body))
	w.space()
	w.say(`The resource is the origin that this client dialled, byte for byte, or it would have to stop
		here (RFC 9728 §3.3). The scopes are those of the policy, so the document cannot drift from it.`)
	scopes := slices.Sorted(slices.Values(w.metadata.ScopesSupported))
	return errors.Join(
		same("resource", w.metadata.Resource, w.house.Connect),
		same("authorization_servers", strings.Join(w.metadata.AuthorizationServers, " "), w.house.Issuer),
		same("scopes_supported", strings.Join(scopes, " "), strings.Join([]string{readBilling, readStock, writeStock}, " ")))
}

// readAuthServer goes on to the authorization server.
func (w *walker) readAuthServer(ctx context.Context) error {
	if err := w.getJSON(ctx, w.metadata.AuthorizationServers[0]+"/.well-known/oauth-authorization-server", &w.server); err != nil {
		return err
	}
	seen := w.http1.last()
	w.sent("%s", seen.request())
	w.got("%s", seen.answer())
	w.got("issuer          %s", w.server.Issuer)
	w.got("token_endpoint  %s", w.server.TokenEndpoint)
	w.got("grant types     %s", strings.Join(w.server.GrantTypes, ", "))
	w.got("PKCE methods    %s", strings.Join(w.server.PKCE, ", "))
	w.space()
	w.say(`From one refusal to where tokens are made, with nothing configured in the client. It belongs
		to somebody else: the services never see a password, only tokens.`)
	return errors.Join(
		same("issuer", w.server.Issuer, w.house.Issuer),
		same("token_endpoint", w.server.TokenEndpoint, w.house.TokenEndpoint),
		same("the support for client_credentials", slices.Contains(w.server.GrantTypes, "client_credentials"), true),
		same("the support for PKCE with S256", slices.Contains(w.server.PKCE, "S256"), true))
}

// getJSON reads a document.
func (w *walker) getJSON(ctx context.Context, address string, into any) error {
	if _, err := url.Parse(address); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return w.doJSON(req, into)
}

// doJSON sends a request that is answered with a document.
func (w *walker) doJSON(req *http.Request, into any) error {
	resp, err := (&http.Client{Transport: w.http1}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxShown))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("expected %s to be answered with 200, got %s: %s", req.URL, resp.Status, body)
	}
	return json.Unmarshal(body, into)
}
