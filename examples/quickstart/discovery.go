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

// parsedChallenge is a challenge as another library parses it.
type parsedChallenge struct {
	header   string
	params   map[string]string
	metadata string
	scopes   []string
	algs     string // of the challenge for DPoP beside it
}

func parseChallenge(header string) (parsedChallenge, error) {
	parsed, err := oauthex.ParseWWWAuthenticate([]string{header})
	if err != nil {
		return parsedChallenge{}, err
	}
	if len(parsed) == 0 || len(parsed) > 2 || parsed[0].Scheme != "bearer" || len(parsed) == 2 && parsed[1].Scheme != "dpop" {
		return parsedChallenge{}, fmt.Errorf("expected one Bearer challenge, or one for DPoP after it, got %q", header)
	}
	params, algs := parsed[0].Params, ""
	if len(parsed) == 2 {
		algs = parsed[1].Params["algs"]
	}
	return parsedChallenge{
		header:   header,
		params:   params,
		metadata: params["resource_metadata"],
		scopes:   strings.Fields(params["scope"]),
		algs:     algs,
	}, nil
}

// metadata holds the members of a protected resource metadata document (RFC 9728
// §2) that the walk-through needs.
type metadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
}

// serverMetadata holds the members of the metadata of an authorization server (RFC
// 8414 §2) that the walk-through needs.
type serverMetadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	GrantTypes    []string `json:"grant_types_supported"`
	PKCE          []string `json:"code_challenge_methods_supported"`
}

// readChallenge explains the challenge of the refusals.
func (w *walker) readChallenge(context.Context) error {
	_, blamed := w.challenge.params["error"]
	w.got("realm              %s", w.challenge.params["realm"])
	w.got("scope              %s", strings.Join(w.challenge.scopes, " "))
	w.got("resource_metadata  %s", w.challenge.metadata)
	w.got("algs               %s", w.challenge.algs)
	w.space()
	w.say(`The realm is the service, the scope is the one to ask for, and the URL leads to the metadata
		(RFC 9728). There is no "error", because a request without a token is not at fault (RFC 6750 §3.1).`)
	w.say(`The second challenge is for clients that bind their token to a key (RFC 9449), with these
		algorithms. The last step does that.`)
	return errors.Join(
		same("algs", w.challenge.algs, "ES256 EdDSA PS256 RS256"),
		same("the realm", w.challenge.params["realm"], inventoryService),
		same("the scope", strings.Join(w.challenge.scopes, " "), readStock),
		same("resource_metadata", w.challenge.metadata, w.target.Connect+"/.well-known/oauth-protected-resource"),
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
	w.say(`The resource is the origin that this client dialed, byte for byte; otherwise it would have to
		stop here (RFC 9728 §3.3). The scopes come from the policy, so the document cannot diverge from it.`)
	scopes := slices.Sorted(slices.Values(w.metadata.ScopesSupported))
	return errors.Join(
		same("resource", w.metadata.Resource, w.target.Connect),
		same("authorization_servers", strings.Join(w.metadata.AuthorizationServers, " "), w.target.Issuer),
		same("scopes_supported", strings.Join(scopes, " "), strings.Join([]string{readBilling, readStock, writeStock}, " ")))
}

// readAuthServer reads the metadata of the authorization server.
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
	w.say(`One refusal led to the token endpoint, with nothing configured in the client. The
		authorization server is another party: the services never see a password, only tokens.`)
	return errors.Join(
		same("issuer", w.server.Issuer, w.target.Issuer),
		same("token_endpoint", w.server.TokenEndpoint, w.target.TokenEndpoint),
		same("the support for client_credentials", slices.Contains(w.server.GrantTypes, "client_credentials"), true),
		same("the support for PKCE with S256", slices.Contains(w.server.PKCE, "S256"), true))
}

// getJSON reads a JSON document.
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

// doJSON sends a request and decodes the JSON of the response.
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
