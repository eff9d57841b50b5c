package interceptor

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
	schemeBearer = "Bearer" // RFC 6750
	schemeDPoP   = "DPoP"   // RFC 9449
)

// Challenge is what a caller who is turned away may know: how to come back
// (RFC 6750 §3, RFC 9728 §5.1). A zero field is left out.
type Challenge struct {
	// Scheme is the authentication scheme; empty means "Bearer".
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
	challenge := wwwauth.Challenge{Scheme: cmp.Or(c.Scheme, schemeBearer)}
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
	if seconds := c.maxAge(); seconds != nil {
		add("max_age", strconv.FormatInt(*seconds, 10))
	}
	add("algs", strings.Join(c.Algs, " "))
	if len(challenge.Params) == 0 {
		add("realm", "rpc") // RFC 6750 §3 wants one parameter at the least.
	}
	return challenge.String()
}

// maxAge returns MaxAge in seconds, nil if there is none.
func (c *Challenge) maxAge() *int64 {
	if c.MaxAge == nil {
		return nil
	}
	return new(max(0, int64(*c.MaxAge/time.Second)))
}

func invalidScope(scope string) bool { return !wwwauth.ValidScopeToken(scope) }

// Proto returns c as the error detail that an RPC status carries.
func (c *Challenge) Proto() *drawbridgev1.Challenge {
	return &drawbridgev1.Challenge{
		Scheme:           cmp.Or(c.Scheme, schemeBearer),
		Realm:            c.Realm,
		ResourceMetadata: c.ResourceMetadata,
		Scopes:           slices.Clone(c.Scopes),
		Error:            c.Error,
		ErrorDescription: c.ErrorDescription,
		AcrValues:        slices.Clone(c.ACRValues),
		MaxAge:           c.maxAge(),
		DpopAlgs:         slices.Clone(c.Algs),
	}
}
