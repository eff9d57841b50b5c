// Package challenge defines the denial of a call, and the challenge that lets the
// caller obtain a token that is accepted (RFC 6750 §3, RFC 9728 §5.1).
//
// A [DenialError] is a denial: a [Reason] and a [Challenge]. The Challenge is
// written as a WWW-Authenticate field ([Challenge.Header]) or as the error detail
// of an RPC status ([Challenge.Proto]), and the denial as an HTTP response
// ([DenialError.Response]). Clients read them back with [Parse] and [FromProto].
// The package depends on no RPC framework.
package challenge

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// The authentication schemes of access tokens.
const (
	Bearer = "Bearer" // RFC 6750
	DPoP   = "DPoP"   // RFC 9449
)

// A Challenge describes the token that a denied caller needs (RFC 6750 §3,
// RFC 9728 §5.1). Zero fields are omitted.
type Challenge struct {
	// Scheme is the authentication scheme; empty means [Bearer].
	Scheme string
	// Realm is the name of the service that was called.
	Realm string
	// ResourceMetadataURL is the URL of the metadata document of the resource
	// (the resource_metadata parameter).
	ResourceMetadataURL string
	// Scopes are all the scopes that the operation needs.
	Scopes []string
	// Error is the OAuth error code. It is empty if the caller sent no
	// credentials (RFC 6750 §3.1).
	Error string
	// ErrorDescription is a fixed sentence for the developers of clients.
	ErrorDescription string
	// ACRValues are the authentication context classes of which the user's
	// authentication needs one, in order of preference (RFC 9470 §3).
	ACRValues []string
	// MaxAge is the greatest age of the user's authentication (RFC 9470 §3), in
	// whole seconds. Zero asks for a new authentication; nil asks for nothing.
	MaxAge *time.Duration
	// Algs are the algorithms accepted in DPoP proofs (RFC 9449 §7.1). With the
	// scheme [Bearer] they mean that a token can be sent under [DPoP] as well.
	Algs []string
	// Nonce is what the next DPoP proof has to contain (RFC 9449 §8). It is not a
	// part of the challenge: the DPoP-Nonce field has it.
	Nonce string
}

// Header returns c as a value of the WWW-Authenticate field. If the scheme is Bearer
// and there are Algs, the value is two challenges, the second for DPoP, which alone
// has the algorithms (RFC 9449 §7.1). The result is safe to send whatever c holds:
// characters that a header cannot hold are replaced, malformed elements of lists are
// left out, and the result is empty if Scheme is not a token (RFC 9110 §5.6.2).
func (c *Challenge) Header() string {
	scheme := cmp.Or(c.Scheme, Bearer)
	if !strings.EqualFold(scheme, Bearer) {
		return c.header(scheme, c.Algs)
	}
	header := c.header(scheme, nil)
	if joinTokens(c.Algs) == "" {
		return header
	}
	return header + ", " + c.header(DPoP, c.Algs)
}

// header returns c as one challenge.
func (c *Challenge) header(scheme string, algs []string) string {
	challenge := wwwauth.Challenge{Scheme: scheme}
	add := func(name, value string) {
		if value != "" {
			challenge.Params = append(challenge.Params, wwwauth.Param{Name: name, Value: value})
		}
	}
	add("realm", c.Realm)
	add("resource_metadata", c.ResourceMetadataURL)
	add("scope", joinTokens(c.Scopes))
	add("error", c.Error)
	add("error_description", c.ErrorDescription)
	add("acr_values", joinTokens(c.ACRValues))
	if seconds := c.maxAge(); seconds != nil {
		add("max_age", strconv.FormatInt(*seconds, 10))
	}
	add("algs", joinTokens(algs))
	if len(challenge.Params) == 0 {
		add("realm", "rpc") // RFC 6750 §3 requires at least one parameter.
	}
	return challenge.String()
}

// joinTokens joins the elements that can stand in a list separated by spaces.
func joinTokens(elements []string) string {
	var list strings.Builder
	for _, element := range elements {
		if !wwwauth.ValidScopeToken(element) {
			continue
		}
		if list.Len() > 0 {
			list.WriteByte(' ')
		}
		list.WriteString(element)
	}
	return list.String()
}

// maxAge returns MaxAge in seconds, or nil.
func (c *Challenge) maxAge() *int64 {
	if c.MaxAge == nil {
		return nil
	}
	return new(max(0, int64(*c.MaxAge/time.Second)))
}

// Proto returns c as the error detail of an RPC status. It shares no memory with
// c.
func (c *Challenge) Proto() *drawbridgev1.Challenge {
	return &drawbridgev1.Challenge{
		Scheme:           cmp.Or(c.Scheme, Bearer),
		Realm:            c.Realm,
		ResourceMetadata: c.ResourceMetadataURL,
		Scopes:           slices.Clone(c.Scopes),
		Error:            c.Error,
		ErrorDescription: c.ErrorDescription,
		AcrValues:        slices.Clone(c.ACRValues),
		MaxAge:           c.maxAge(),
		DpopAlgs:         slices.Clone(c.Algs),
		DpopNonce:        c.Nonce,
	}
}
