package interceptor

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// Challenge is what a caller who is turned away may know: how to come back
// (RFC 6750 §3, RFC 9728 §5.1). A zero field is left out.
type Challenge struct {
	// Scheme is the authentication scheme, such as "Bearer".
	Scheme string
	// Realm is the name of the service that was asked for.
	Realm string
	// ResourceMetadata is the URL of the metadata document of the resource.
	ResourceMetadata string
	// Scopes are all the scopes that the operation needs.
	Scopes []string
	// Error is the OAuth error code. Empty if no credentials were sent.
	Error string
	// ErrorDescription is a fixed sentence for the developer of the client.
	ErrorDescription string
	// ACRValues and MaxAge ask for a stronger or fresher authentication of the
	// user (RFC 9470 §3). A MaxAge of zero asks for a new one; it is counted in
	// whole seconds.
	ACRValues []string
	MaxAge    *time.Duration
	// Algs are the algorithms accepted in DPoP proofs (RFC 9449 §7.1).
	Algs []string
}

// Header returns c as a value of the WWW-Authenticate field. What a header
// cannot hold is replaced, so that it is safe with any content.
func (c *Challenge) Header() string {
	challenge := wwwauth.Challenge{Scheme: c.Scheme}
	add := func(name, value string) {
		if value != "" {
			challenge.Params = append(challenge.Params, wwwauth.Param{Name: name, Value: value})
		}
	}
	add("realm", c.Realm)
	add("resource_metadata", c.ResourceMetadata)
	add("scope", strings.Join(slices.DeleteFunc(slices.Clone(c.Scopes), invalidScope), " "))
	add("error", c.Error)
	add("error_description", c.ErrorDescription)
	add("acr_values", strings.Join(c.ACRValues, " "))
	if c.MaxAge != nil {
		add("max_age", strconv.FormatInt(int64(*c.MaxAge/time.Second), 10))
	}
	add("algs", strings.Join(c.Algs, " "))
	return challenge.String()
}

func invalidScope(scope string) bool { return !wwwauth.ValidScopeToken(scope) }

// Proto returns c as the error detail that an RPC status carries.
func (c *Challenge) Proto() *drawbridgev1.Challenge {
	detail := &drawbridgev1.Challenge{
		Scheme:           c.Scheme,
		Realm:            c.Realm,
		ResourceMetadata: c.ResourceMetadata,
		Scopes:           slices.Clone(c.Scopes),
		Error:            c.Error,
		ErrorDescription: c.ErrorDescription,
		AcrValues:        slices.Clone(c.ACRValues),
		DpopAlgs:         slices.Clone(c.Algs),
	}
	if c.MaxAge != nil {
		seconds := int64(*c.MaxAge / time.Second)
		detail.MaxAge = &seconds
	}
	return detail
}

// challengeFromProto reads the detail of a status that came over the wire.
func challengeFromProto(detail *drawbridgev1.Challenge) Challenge {
	c := Challenge{
		Scheme:           detail.GetScheme(),
		Realm:            detail.GetRealm(),
		ResourceMetadata: detail.GetResourceMetadata(),
		Scopes:           slices.Clone(detail.GetScopes()),
		Error:            detail.GetError(),
		ErrorDescription: detail.GetErrorDescription(),
		ACRValues:        slices.Clone(detail.GetAcrValues()),
		Algs:             slices.Clone(detail.GetDpopAlgs()),
	}
	if detail.MaxAge != nil {
		const longest = int64(1<<63-1) / int64(time.Second)
		age := time.Duration(min(max(detail.GetMaxAge(), 0), longest)) * time.Second
		c.MaxAge = &age
	}
	return c
}
