package authserver

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// maxClients is the number of clients that may register themselves.
const maxClients = 1000

// A Client may request tokens. Its JSON members have the names of RFC 7591.
type Client struct {
	// ID is the client identifier.
	ID string `json:"client_id"`
	// Secret is the client secret. A client without one is public and uses PKCE
	// instead.
	Secret string `json:"client_secret"`
	// SecretOptional allows the client to omit its secret and use PKCE instead, as
	// a native application does that cannot keep a secret.
	SecretOptional bool `json:"-"`
	// GrantTypes are the grants that the client may use: "authorization_code"
	// or "client_credentials".
	GrantTypes []string `json:"grant_types"`
	// RedirectURIs are the URIs to which an authorization code may be sent. The
	// port of a loopback URI is ignored (RFC 8252 §7.3).
	RedirectURIs []string `json:"redirect_uris"`
}

func (c Client) validate() error {
	for _, grant := range c.GrantTypes {
		switch {
		case grant != string(oidc.GrantTypeCode) && grant != string(oidc.GrantTypeClientCredentials):
			return fmt.Errorf("authserver: client %q: grant type %q is unknown", c.ID, grant)
		case grant == string(oidc.GrantTypeClientCredentials) && (c.Secret == "" || c.SecretOptional):
			return fmt.Errorf("authserver: client %q has no secret, which %s requires", c.ID, grant)
		}
	}
	for _, uri := range c.RedirectURIs {
		if err := validateRedirectURI(uri); err != nil {
			return fmt.Errorf("authserver: client %q: %w", c.ID, err)
		}
	}
	return nil
}

// validateRedirectURI accepts the URIs on which a native application can listen.
func validateRedirectURI(uri string) error {
	parsed, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("redirect URI %q: %w", uri, err)
	}
	if _, loopback := op.HTTPLoopbackOrLocalhost(uri); !loopback || parsed.Fragment != "" {
		return fmt.Errorf("redirect URI %q is not a loopback URL without a fragment", uri)
	}
	return nil
}

// clone returns a client that shares nothing with c. Its slices are not nil.
func (c Client) clone() Client {
	c.GrantTypes = append([]string{}, c.GrantTypes...)
	c.RedirectURIs = append([]string{}, c.RedirectURIs...)
	return c
}

func (c Client) hasSecret(secret string) bool {
	if c.SecretOptional && secret == "" {
		return true
	}
	return subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) == 1
}

// clients are the clients of the server.
type clients struct {
	mu         sync.Mutex
	byID       map[string]Client
	registered int
}

func newClients(configured []Client) *clients {
	c := &clients{byID: make(map[string]Client)}
	for _, client := range configured {
		c.byID[client.ID] = client.clone()
	}
	return c
}

func (c *clients) find(id string) (Client, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, ok := c.byID[id]
	return client, ok
}

// register stores a public client under a new identifier. It returns false if there
// are too many.
func (c *clients) register(redirectURIs []string) (Client, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.registered == maxClients {
		return Client{}, false
	}
	c.registered++
	client := Client{
		ID:           "registered-" + rand.Text(),
		GrantTypes:   []string{string(oidc.GrantTypeCode)},
		RedirectURIs: slices.Clone(redirectURIs),
	}
	c.byID[client.ID] = client
	return client, true
}

// opClient is a client as op sees it.
type opClient struct {
	client Client
	scopes []string
}

var _ op.Client = opClient{}

func (c opClient) GetID() string                        { return c.client.ID }
func (c opClient) RedirectURIs() []string               { return c.client.RedirectURIs }
func (c opClient) PostLogoutRedirectURIs() []string     { return nil }
func (c opClient) LoginURL(id string) string            { return loginPath + "?request=" + url.QueryEscape(id) }
func (c opClient) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (c opClient) IDTokenLifetime() time.Duration       { return 0 }
func (c opClient) DevMode() bool                        { return false }
func (c opClient) ClockSkew() time.Duration             { return 0 }
func (c opClient) IsScopeAllowed(scope string) bool     { return slices.Contains(c.scopes, scope) }
func (c opClient) IDTokenUserinfoClaimsAssertion() bool { return false }

// ApplicationType returns native, so that op ignores the port of a loopback
// redirect URI.
func (c opClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

func (c opClient) AuthMethod() oidc.AuthMethod {
	if c.client.Secret == "" || c.client.SecretOptional {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c opClient) ResponseTypes() []oidc.ResponseType {
	if slices.Contains(c.GrantTypes(), oidc.GrantTypeCode) {
		return []oidc.ResponseType{oidc.ResponseTypeCode}
	}
	return nil
}

func (c opClient) GrantTypes() []oidc.GrantType {
	var types []oidc.GrantType
	for _, grant := range c.client.GrantTypes {
		types = append(types, oidc.GrantType(grant))
	}
	return types
}

//nolint:revive,staticcheck // The name is that of the interface.
func (c opClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}

func (c opClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
