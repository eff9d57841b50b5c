package verifier

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
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
	defaultCacheSize       = 10_000
)

var (
	defaultAlgorithms  = []string{"RS256", "ES256", "PS256", "EdDSA"}
	defaultScopeClaims = []string{"scope", "scp"}

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

// JWTConfig configures a [JWT]. Only Issuer is required. [NewJWT] copies the
// slices; later changes have no effect.
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
	Issuer string

	// AcceptTypeJWT also accepts tokens whose typ is "JWT" or missing.
	//
	// By default the typ must be "at+jwt" or "application/at+jwt" (RFC 9068
	// §4), which only access tokens have. Many providers do not follow it yet
	// (ZITADEL, Keycloak, Entra and everything built with package op of
	// zitadel/oidc send "JWT", Okta sends none). With this option the typ no
	// longer distinguishes an access token from an ID token of the same issuer.
	// Only the audience does, and the refusal of claims that other kinds of
	// tokens have; see [JWT.VerifyToken]. Give each resource an audience of its
	// own, never a client ID.
	AcceptTypeJWT bool

	// AllowMissingSubject also accepts tokens without a sub claim, which RFC 9068
	// §2.2 requires. Keycloak leaves it out since version 25 unless the client
	// has the scope "basic". By default such a token is invalid.
	//
	// Info.Subject is then empty, and the caller is known by its client alone:
	// all users of one client are one caller. Records and rules cannot
	// distinguish them, and the sessions of an MCP server belong to the issuer
	// and the client. Prefer to make the issuer send sub. A sub claim that is
	// present must be a string that is not empty in either case.
	AllowMissingSubject bool

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

	// ScopeClaims are the top-level claims that may hold the scopes, as a string
	// separated by spaces or as an array of strings. Only the first one that a
	// token has counts. Nil means "scope" (RFC 9068 §2.2.3), then "scp" (Entra,
	// Okta). A name with a dot is an error, unless it is a URI such as
	// "https://example.com/scopes": claims inside of others, such as
	// realm_access.roles, are not read.
	ScopeClaims []string

	// Claims are the names of further top-level claims to keep in
	// [token.Info.Claims], such as "tenant" or "realm_access". A name with a dot
	// is an error, as in ScopeClaims.
	Claims []string

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
	// warnings in the log state the age of the keys. Only a new [JWT] starts
	// without them.
	RefreshInterval time.Duration

	// CacheSize is the maximum number of verified tokens to remember, so that
	// each signature is checked once. An entry is not used after the token has
	// expired, or after a refresh has found that a key was withdrawn. Zero
	// means 10,000; a negative number disables the cache.
	//
	// An entry takes the length of its token, about half a kilobyte, and the
	// kept claims: scopes, audience and those in Claims. This amounts to one or
	// two kilobytes for common tokens. Tokens longer than 4 KiB are not
	// remembered; one of that length whose kept claims are hundreds of small objects
	// takes up to 150 KiB. Only the issuer can make such tokens.
	CacheSize int

	// Logger receives a warning if the key set cannot be fetched, and a message
	// when it can be fetched again. If a key in the set cannot be used, it receives
	// one message that says which and why, and another one if that changes
	// (RFC 7517 §5). Nil means slog.Default.
	Logger *slog.Logger
}

// validate reports all faults of the configuration.
func (c JWTConfig) validate() error {
	faults := fault.List{Within: "verifier: JWTConfig."}
	if _, reason := uri.ParseIdentifier(c.Issuer); isTemplate(c.Issuer) {
		faults.Add("Issuer", c.Issuer, "is a template that stands for many tenants, and no token has it as its iss",
			"write the identifier of the tenant in its place, as the iss claim of its tokens has it")
	} else if reason != "" {
		faults.Add("Issuer", c.Issuer, reason, "")
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		faults.Add("Leeway", c.Leeway.String(), fmt.Sprintf("is not between 0s and %v", maxLeeway), "")
	}
	if c.RefreshInterval != 0 && (c.RefreshInterval < minRefreshInterval || c.RefreshInterval > maxRefreshInterval) {
		faults.Add("RefreshInterval", c.RefreshInterval.String(),
			fmt.Sprintf("is not between %v and %v", minRefreshInterval, maxRefreshInterval), "")
	}
	if c.Algorithms != nil && len(c.Algorithms) == 0 {
		faults.Add("Algorithms", "", "is empty and would accept no token", "leave it nil for the default")
	}
	if c.ScopeClaims != nil && len(c.ScopeClaims) == 0 {
		faults.Add("ScopeClaims", "", "is empty and would find no scope in any token", "leave it nil for the default")
	}
	for i, name := range c.Algorithms {
		if !slices.Contains(supportedAlgorithms, name) {
			faults.Add(fmt.Sprintf("Algorithms[%d]", i), name, "is not an asymmetric signature algorithm",
				"choose among "+strings.Join(supportedAlgorithms, ", "))
		}
	}
	checkNames(&faults, "ScopeClaims", c.ScopeClaims)
	checkNames(&faults, "Claims", c.Claims)
	return faults.Err()
}

// isTemplate reports whether an issuer has a placeholder, as the metadata of
// Entra for all tenants has, whether its braces are escaped or not.
func isTemplate(issuer string) bool {
	return strings.Contains(issuer, "{") || strings.Contains(strings.ToLower(issuer), "%7b")
}

// checkNames reports what cannot be the name of a top-level claim. A dot in a name
// that is not a URI is taken for a path into a claim: no claim has such a name in
// practice, and a path would silently find nothing.
func checkNames(faults *fault.List, field string, names []string) {
	for i, name := range names {
		place := fmt.Sprintf("%s[%d]", field, i)
		switch top, _, isPath := strings.Cut(name, "."); {
		case name == "":
			faults.Add(place, "", "is empty", "")
		case isPath && !strings.Contains(name, ":"):
			faults.Add(place, name, "is a path into a claim, but only top-level claims are read",
				fmt.Sprintf("name a top-level claim, such as %q; only a URI may contain a dot", top))
		}
	}
}

// withDefaults returns the configuration with its zero fields filled in and its
// slices copied.
func (c JWTConfig) withDefaults() JWTConfig {
	if c.Algorithms == nil {
		c.Algorithms = defaultAlgorithms
	}
	if c.ScopeClaims == nil {
		c.ScopeClaims = defaultScopeClaims
	}
	c.Leeway = cmp.Or(c.Leeway, defaultLeeway)
	c.RefreshInterval = cmp.Or(c.RefreshInterval, defaultRefreshInterval)
	c.CacheSize = cmp.Or(c.CacheSize, defaultCacheSize)
	c.Algorithms = slices.Clone(c.Algorithms)
	c.ScopeClaims = slices.Clone(c.ScopeClaims)
	c.Claims = slices.Clone(c.Claims)
	return c
}
