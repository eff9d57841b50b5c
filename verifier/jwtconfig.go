package verifier

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// The defaults and bounds of a [JWTConfig].
const (
	defaultLeeway          = 30 * time.Second
	maxLeeway              = 5 * time.Minute
	defaultRefreshInterval = 15 * time.Minute
	minRefreshInterval     = coolDown
	maxRefreshInterval     = 24 * time.Hour
	defaultMaxTenants      = 100
)

var (
	defaultAlgorithms = []string{"RS256", "ES256", "PS256", "EdDSA"}

	// supportedAlgorithms are the asymmetric signature algorithms of RFC 7518
	// §3.1 and RFC 8037 §3.1. A symmetric algorithm would turn the issuer's
	// public keys into shared secrets (RFC 8725 §2.1).
	supportedAlgorithms = []string{
		"RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512",
		"EdDSA",
	}
)

// JWTConfig states how the JWT access tokens (RFC 9068) of one issuer are verified,
// or of one issuer for each tenant. Only Issuer is required. Its keys verify no
// token of another issuer, whatever key ID that has (RFC 8725 §3.8).
type JWTConfig struct {
	// Issuer is the issuer identifier of the OpenID provider or OAuth 2.0
	// authorization server, exactly as it stands in the iss claim of tokens and in
	// the issuer member of the metadata document, including a trailing slash. It
	// is an https URL without query and fragment; http is allowed on loopback.
	// Required.
	//
	// The metadata is looked for at <issuer>/.well-known/openid-configuration
	// (OpenID Connect Discovery §4.1), then at the place of RFC 8414 §3.1, where
	// /.well-known/oauth-authorization-server stands between host and path, then
	// at the two places with the suffixes exchanged (RFC 8414 §5). The first one
	// that names the issuer is used, and is the first to be asked from then on.
	//
	// An Issuer with a placeholder for one segment of its path, such as
	// https://login.microsoftonline.com/{tenant}/v2.0, stands for many tenants. Each
	// is an issuer of its own: it has its own metadata and its own keys.
	Issuer string

	// Tenants are the tenants for which an Issuer with a placeholder stands. Such an
	// Issuer needs either Tenants or AcceptTenant.
	Tenants []string

	// AcceptTenant reports whether tokens of a tenant are accepted, in place of
	// Tenants. It is called concurrently, for each token that is not in the cache,
	// before its signature has been checked: the tenant is what the token claims. So it
	// has to look the tenant up among those that exist, byte for byte; a check of its form
	// lets forged tokens fill MaxTenants. Tokens that are in the cache outlive a change of
	// its mind: see [Verifier.CutOff].
	AcceptTenant func(tenant string) bool

	// MaxTenants bounds the number of tenants that AcceptTenant can make known. The
	// tokens of further ones are unavailable, until one whose keys were never found makes
	// space. Zero means 100.
	MaxTenants int

	// InternalURL is where the issuer is reached from inside, if its public address
	// cannot be: "https://keycloak.internal:8443/realms/acme" in place of
	// "https://login.example.com/realms/acme". The metadata is fetched below it, and
	// the key set under the same host if the metadata names the host of Issuer. The
	// tokens and the metadata name Issuer all the same. Empty means Issuer.
	InternalURL string

	// AllowPlaintext allows an InternalURL with the scheme http that is
	// not on loopback. Whoever can change the traffic to it can then replace the
	// keys, and forge any token of the issuer.
	AllowPlaintext bool

	// AcceptTypeJWT also accepts tokens whose typ is "JWT" or missing.
	//
	// By default the typ must be "at+jwt" or "application/at+jwt" (RFC 9068
	// §4), which only access tokens have. Many providers do not follow it yet
	// (ZITADEL, Keycloak, Entra and everything built with package op of
	// zitadel/oidc send "JWT", Okta sends none). With this option the typ no
	// longer distinguishes an access token from an ID token of the same issuer.
	// Only the audience does, and the refusal of claims that other kinds of
	// tokens have; see [Verifier.VerifyToken]. Give each resource an audience of its
	// own, never a client ID.
	AcceptTypeJWT bool

	// Algorithms are the accepted signature algorithms (RFC 8725 §3.1), by
	// their names in RFC 7518 §3.1: the RS, PS and ES families and EdDSA.
	// "none" and the HS family are errors. An RSA key without an alg is used
	// with the first RSA algorithm in this list and no other. Nil means RS256,
	// ES256, PS256 and EdDSA.
	Algorithms []string

	// Leeway is the tolerated difference between the clocks of the issuer and
	// of this machine. A token is accepted until exp plus Leeway, and from nbf
	// and iat minus Leeway. Zero means 30 seconds; the maximum is 5 minutes.
	// For practically no leeway set a nanosecond.
	Leeway time.Duration

	// HTTPClient fetches the metadata and the key set. It is copied,
	// and the copy does not follow a redirect to a URL that is less protected
	// than the issuer. Each fetch ends after 10 seconds, regardless of the
	// client's Timeout. Nil means a client with the default transport of
	// net/http.
	HTTPClient *http.Client

	// RefreshInterval is the age at which the key set is fetched again in the
	// background, as long as tokens arrive. Zero means 15 minutes; it must be
	// between one second and one day.
	//
	// A key that the issuer has withdrawn is accepted until a refresh succeeds.
	// As long as tokens arrive, that takes RefreshInterval plus the time of a
	// fetch. The first token after an idle period may still be verified with
	// keys of up to twice that age; if they are older, callers wait for the
	// refresh.
	//
	// While the issuer is unreachable, or publishes a key set that is broken or
	// has no usable key, the last good keys stay trusted, however old they get,
	// so an outage does not lock out all callers. The refresh is then retried
	// every ten seconds, or every RefreshInterval if that is shorter, and
	// warnings in the log state the age of the keys. Only a new [Verifier] starts
	// without them.
	RefreshInterval time.Duration

	// Mapping states how the claims become facts.
	Mapping Mapping
}

// check adds the faults of c.
func (c JWTConfig) check(faults *fault.List, place string) {
	c.checkIssuer(faults, place)
	if c.InternalURL != "" {
		checkInternalURL(faults, place, c.InternalURL, c.AllowPlaintext)
	} else if c.AllowPlaintext {
		faults.Add(place+"AllowPlaintext", "", "is set without an InternalURL", "remove it")
	}
	checkLeeway(faults, place, c.Leeway)
	if c.RefreshInterval != 0 && (c.RefreshInterval < minRefreshInterval || c.RefreshInterval > maxRefreshInterval) {
		faults.Add(place+"RefreshInterval", c.RefreshInterval.String(),
			fmt.Sprintf("is not between %v and %v", minRefreshInterval, maxRefreshInterval), "")
	}
	if c.Algorithms != nil && len(c.Algorithms) == 0 {
		faults.Add(place+"Algorithms", "", "is empty and would accept no token", "leave it nil for the default")
	}
	for i, name := range c.Algorithms {
		if !slices.Contains(supportedAlgorithms, name) {
			faults.Add(fmt.Sprintf("%sAlgorithms[%d]", place, i), name, "is not an asymmetric signature algorithm",
				"choose among "+strings.Join(supportedAlgorithms, ", "))
		}
	}
	c.Mapping.check(faults, place+"Mapping.")
}

func (c JWTConfig) checkIssuer(faults *fault.List, place string) {
	if !uri.IsPattern(c.Issuer) {
		if _, reason := uri.ParseIdentifier(c.Issuer); reason != "" {
			faults.Add(place+"Issuer", c.Issuer, reason, "")
		}
		if len(c.Tenants) > 0 || c.AcceptTenant != nil || c.MaxTenants != 0 {
			faults.Add(place+"Issuer", c.Issuer, "has no placeholder for the tenants", "write one, such as {tenant}, as a segment of its path")
		}
		return
	}
	if _, reason := uri.ParsePattern(c.Issuer); reason != "" {
		faults.Add(place+"Issuer", c.Issuer, reason, "")
		return
	}
	switch {
	case len(c.Tenants) > 0 && c.AcceptTenant != nil:
		faults.Add(place+"AcceptTenant", "", "is set beside Tenants", "remove one of them")
	case len(c.Tenants) == 0 && c.AcceptTenant == nil:
		faults.Add(place+"Issuer", c.Issuer, "stands for many tenants, and none is accepted",
			"list them in Tenants, or decide about them in AcceptTenant")
	}
	if c.MaxTenants < 0 || c.MaxTenants > 0 && c.AcceptTenant == nil {
		faults.Add(place+"MaxTenants", strconv.Itoa(c.MaxTenants), "is not a bound of the tenants that AcceptTenant makes known", "")
	}
	for i, tenant := range c.Tenants {
		if !uri.IsTenant(tenant) {
			faults.Add(fmt.Sprintf("%sTenants[%d]", place, i), tenant, "cannot be a segment of the path of an issuer", "")
		}
	}
	if c.InternalURL != "" {
		faults.Add(place+"InternalURL", c.InternalURL, "is set for many tenants", "configure each tenant as an issuer of its own")
	}
}

func checkInternalURL(faults *fault.List, place, internal string, plaintext bool) {
	address := internal
	if rest, ok := strings.CutPrefix(internal, "http://"); ok && plaintext {
		address = "https://" + rest
	}
	_, reason := uri.ParseIdentifier(address)
	if reason == "" {
		return
	}
	advice := ""
	if _, isPlain := uri.ParseIdentifier(strings.Replace(internal, "http://", "https://", 1)); isPlain == "" {
		advice = "use https; AllowPlaintext says what it costs not to"
	}
	faults.Add(place+"InternalURL", internal, reason, advice)
}

func checkLeeway(faults *fault.List, place string, leeway time.Duration) {
	if leeway < 0 || leeway > maxLeeway {
		faults.Add(place+"Leeway", leeway.String(), fmt.Sprintf("is not between 0s and %v", maxLeeway), "")
	}
}

// copied returns c with its zero fields filled in, sharing no memory with it.
func (c JWTConfig) copied() JWTConfig {
	r := c
	if r.Algorithms == nil {
		r.Algorithms = defaultAlgorithms
	}
	r.Algorithms = slices.Clone(r.Algorithms)
	r.Tenants = slices.Clone(r.Tenants)
	r.Leeway = cmp.Or(r.Leeway, defaultLeeway)
	r.RefreshInterval = cmp.Or(r.RefreshInterval, defaultRefreshInterval)
	r.MaxTenants = cmp.Or(r.MaxTenants, max(defaultMaxTenants, len(r.Tenants)))
	r.Mapping = r.Mapping.copied()
	return r
}
