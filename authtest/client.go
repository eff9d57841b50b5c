package authtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"maps"
	"slices"
)

// A Client describes a client for [Issuer.AddClient]. It needs an ID and a Secret
// or a Key.
type Client struct {
	// ID is the client_id.
	ID string
	// Secret authenticates the client with HTTP Basic or in the form (RFC 6749
	// §2.3.1). Empty means that it does not authenticate in these ways.
	Secret string
	// Key authenticates the client with private_key_jwt (RFC 7523 §2.2): an
	// *ecdsa.PublicKey, an *rsa.PublicKey or an ed25519.PublicKey. Nil means that
	// it does not authenticate in this way.
	Key crypto.PublicKey
	// Scopes are those that the client may be granted, and is granted if it asks
	// for none. Empty means that it may be granted any.
	Scopes []string
	// Token describes the tokens that the client is granted, for instance opaque
	// ones. The token endpoint sets ClientID, Scope and ForClient, Audience if the
	// request names a resource, and Confirmation if it has a DPoP proof.
	Token Token
	// DPoPBound means that the client is granted no token without a DPoP proof
	// (dpop_bound_access_tokens, RFC 9449 §5.2).
	DPoPBound bool
}

// AddClient makes the token endpoint and the introspection endpoint know a client.
// They know no others. It replaces a client with the same ID. One that cannot
// authenticate is reported to the test as an error. The slices and maps are copied.
//
// The token endpoint is token_endpoint of the discovery document. It knows the
// grant client_credentials (RFC 6749 §4.4): the token is one of [Issuer.Mint] for
// the client itself, whose audience are the values of the parameter resource
// (RFC 8707 §2), and whose scopes are those of the parameter scope, or else all
// scopes of the client. With a DPoP proof (RFC 9449 §5), the token is bound to its
// key.
//
// The introspection endpoint is introspection_endpoint of the discovery document
// (RFC 7662 §2). It answers every client about every token, see
// [Issuer.Introspection].
func (i *Issuer) AddClient(c Client) {
	i.reporter.Helper()
	if fault := c.fault(); fault != "" {
		i.reporter.Errorf("authtest: client %q %s", c.ID, fault)
		return
	}
	c.Scopes = slices.Clone(c.Scopes)
	c.Token.Audience, c.Token.Roles = slices.Clone(c.Token.Audience), slices.Clone(c.Token.Roles)
	c.Token.Claims, c.Token.Header = maps.Clone(c.Token.Claims), maps.Clone(c.Token.Header)
	c.Token.Confirmation = maps.Clone(c.Token.Confirmation)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.clients[c.ID] = c
}

// fault says what is wrong with the client.
func (c Client) fault() string {
	switch c.Key.(type) {
	case nil, *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey:
	default:
		return "has a key of the wrong type; *ecdsa.PublicKey, *rsa.PublicKey and ed25519.PublicKey are supported"
	}
	switch {
	case c.ID == "":
		return "has no ID"
	case c.Secret == "" && c.Key == nil:
		return "has neither a secret nor a key"
	default:
		return ""
	}
}
