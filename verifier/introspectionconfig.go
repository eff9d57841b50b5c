package verifier

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// The defaults and bounds of an [IntrospectionConfig].
const (
	defaultAnswerLifetime  = time.Minute
	maxAnswerLifetime      = time.Hour
	defaultRefusalLifetime = 5 * time.Second
	maxRefusalLifetime     = time.Minute
)

// IntrospectionConfig states how an authorization server is asked about tokens
// (RFC 7662). Issuer and ClientID are required, and either ClientSecret or PrivateKey.
// With TokenInfo, Issuer, Endpoint and Mapping.Audiences are required instead.
//
// It holds secrets, which String, GoString, LogValue and MarshalJSON leave out.
type IntrospectionConfig struct {
	// Issuer is the issuer identifier of the authorization server. It is
	// [token.Info.Issuer] of its tokens; an answer that names another is refused.
	Issuer string

	// Endpoint is the URL of the introspection endpoint. Empty means
	// introspection_endpoint of the metadata of Issuer. A token is sent to it, so it
	// is https, or http on loopback, and a redirect is not followed.
	Endpoint string

	// TokenInfo says that Endpoint is a tokeninfo endpoint, which Google has in place of
	// introspection, see [Google]. It gets the token in a POST form, as access_token, and
	// authenticates no client. It answers 200 about a valid token, and 400 with the error
	// invalid_token about any other. Any other answer is an outage.
	//
	// The aud of such an answer is the client that the token was issued to. So the keys
	// of Mapping.Audiences are the clients whose tokens are accepted, and the values are
	// the resources that their tokens open. A token is invalid if its aud, or its azp, is
	// another client. exp is required, and may be a string of digits.
	TokenInfo bool

	// InternalURL is that of a [JWTConfig]: where the metadata and the endpoint are
	// reached from inside. It cannot be set beside Endpoint.
	InternalURL string

	// AllowPlaintext allows an InternalURL or an Endpoint with the scheme http that is
	// not on loopback. Tokens and the secret can then be read on the way, and whoever
	// can change the traffic makes any token valid.
	AllowPlaintext bool

	// ClientID authenticates this server, with the secret by HTTP Basic
	// (client_secret_basic), or with the private key (private_key_jwt, RFC 7523).
	ClientID     string
	ClientSecret string
	// PrivateKey is a key in PEM, in the form of PKCS #8 or, for RSA, PKCS #1. It signs
	// with RS256, ES256 or EdDSA.
	PrivateKey []byte
	// KeyID is the kid of PrivateKey at the authorization server. It may be empty.
	KeyID string

	// AnswerLifetime bounds how long an answer about an active token is used, besides
	// exp. A token that is revoked is accepted for that long. Zero means one minute;
	// the maximum is one hour; a negative value makes every request ask.
	AnswerLifetime time.Duration

	// RefusalLifetime is how long the answer is used that a token is not active. It
	// is never made of an error of the endpoint. Zero means five seconds; the maximum
	// is one minute; a negative value makes every request ask.
	RefusalLifetime time.Duration

	// AudienceOfUnbound is the audience of a token whose answer has no aud, which
	// RFC 7662 §2.2 does not require, or an empty list: the identifier of a resource. Such
	// a token was
	// not issued for this resource (RFC 8707): any server that receives one can use it
	// here. Empty means that it is invalid.
	AudienceOfUnbound string

	// Leeway is that of a [JWTConfig].
	Leeway time.Duration

	// Mapping states how the members of an answer become facts.
	Mapping Mapping

	// HTTPClient is that of a [JWTConfig].
	HTTPClient *http.Client
}

// String describes c without its secrets.
func (c IntrospectionConfig) String() string {
	if c.TokenInfo {
		return "tokeninfo at " + cmp.Or(c.Endpoint, c.Issuer)
	}
	return fmt.Sprintf("introspection at %s as client %q", cmp.Or(c.Endpoint, c.Issuer), c.ClientID)
}

// GoString is String.
func (c IntrospectionConfig) GoString() string { return c.String() }

// LogValue is String.
func (c IntrospectionConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON returns String as a JSON string: a structured log encodes what holds c.
func (c IntrospectionConfig) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// check adds the faults of c.
func (c IntrospectionConfig) check(faults *fault.List, place string) {
	if _, reason := uri.ParseIdentifier(c.Issuer); reason != "" {
		faults.Add(place+"Issuer", c.Issuer, reason, "")
	}
	if c.Endpoint != "" {
		c.checkEndpoint(faults, place)
		if c.InternalURL != "" {
			faults.Add(place+"InternalURL", c.InternalURL, "is set beside Endpoint, which needs no metadata", "remove one of them")
		}
	}
	if c.InternalURL != "" {
		checkInternalURL(faults, place, c.InternalURL, c.AllowPlaintext)
	} else if c.AllowPlaintext && c.Endpoint == "" {
		faults.Add(place+"AllowPlaintext", "", "is set without an InternalURL and an Endpoint", "remove it")
	}
	if c.TokenInfo {
		c.checkTokenInfo(faults, place)
	} else {
		c.checkClient(faults, place)
	}
	if c.AnswerLifetime > maxAnswerLifetime {
		faults.Add(place+"AnswerLifetime", c.AnswerLifetime.String(), fmt.Sprintf("is more than %v", maxAnswerLifetime), "")
	}
	if c.RefusalLifetime > maxRefusalLifetime {
		faults.Add(place+"RefusalLifetime", c.RefusalLifetime.String(), fmt.Sprintf("is more than %v", maxRefusalLifetime), "")
	}
	checkLeeway(faults, place, c.Leeway)
	c.Mapping.check(faults, place+"Mapping.")
}

func (c IntrospectionConfig) checkEndpoint(faults *fault.List, place string) {
	u, err := url.Parse(c.Endpoint)
	isPlain := err == nil && u.Scheme == "http"
	switch {
	case err == nil && u.Host != "" && u.User == nil && u.Fragment == "" && (uri.IsProtected(u) || isPlain && c.AllowPlaintext):
		return
	case u == nil:
		u = &url.URL{Opaque: "malformed"}
	}
	advice := ""
	if isPlain {
		advice = "use https; AllowPlaintext says what it costs not to"
	}
	faults.Add(place+"Endpoint", u.Redacted(), "is not an https URL; tokens are sent to it (http is allowed on loopback)", advice)
}

// checkClient adds the faults of what authenticates this server.
func (c IntrospectionConfig) checkClient(faults *fault.List, place string) {
	if c.KeyID != "" && len(c.PrivateKey) == 0 {
		faults.Add(place+"KeyID", c.KeyID, "is set without a PrivateKey", "")
	}
	if c.ClientID == "" {
		faults.Add(place+"ClientID", "", "is required", "")
	}
	switch {
	case c.ClientSecret == "" && len(c.PrivateKey) == 0:
		faults.Add(place+"ClientSecret", "", "is required unless there is a PrivateKey", "")
	case c.ClientSecret != "" && len(c.PrivateKey) > 0:
		faults.Add(place+"PrivateKey", "", "is set beside ClientSecret", "remove one of them")
	case len(c.PrivateKey) > 0:
		if _, err := client.NewSignerFromPrivateKeyByte(c.PrivateKey, c.KeyID); err != nil {
			faults.Add(place+"PrivateKey", "", "is no private key in PEM", "")
		}
	}
}

// copied returns c with its zero fields filled in, sharing no memory with it.
func (c IntrospectionConfig) copied() IntrospectionConfig {
	r := c
	r.Leeway = cmp.Or(r.Leeway, defaultLeeway)
	r.AnswerLifetime = cmp.Or(r.AnswerLifetime, defaultAnswerLifetime)
	r.RefusalLifetime = cmp.Or(r.RefusalLifetime, defaultRefusalLifetime)
	r.PrivateKey = bytes.Clone(r.PrivateKey)
	r.Mapping = r.Mapping.copied()
	return r
}
