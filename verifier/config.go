package verifier

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The values that a zero field of a [JWTConfig] stands for, and the bounds.
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
	// §3.1 and RFC 8037 §3.1. A symmetric one would make the public keys of the
	// issuer shared secrets (RFC 8725 §2.1).
	supportedAlgorithms = []string{
		"RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512",
		"EdDSA",
	}
)

// JWTConfig configures a [JWT]. Only Issuer is required. [NewJWT] copies what it
// needs; later changes have no effect.
type JWTConfig struct {
	// Issuer is the issuer identifier of the OpenID provider, exactly as its
	// tokens carry it in iss and its discovery document in issuer, down to a
	// slash at the end. It is an https URL without query and fragment; http is
	// allowed on loopback addresses alone. Required.
	Issuer string

	// AcceptTypeJWT also accepts tokens whose typ is "JWT" or missing.
	//
	// By default the typ must be "at+jwt" or "application/at+jwt" (RFC 9068
	// §4), which only access tokens have. Many providers do not follow it yet
	// (ZITADEL, Keycloak, Entra and everything built with package op of
	// zitadel/oidc send "JWT", Okta sends none). With this option the typ no
	// longer tells an access token from an ID token of the same issuer. What
	// is left is the audience, so give each resource an audience of its own,
	// never a client id, and the refusal of what only other tokens carry; see
	// [JWT.VerifyToken].
	AcceptTypeJWT bool

	// Algorithms are the signature algorithms that are accepted (RFC 8725
	// §3.1), by their names in RFC 7518 §3.1: the RS, PS and ES families and
	// EdDSA. "none" and the HS family are errors. An RSA key without an alg of
	// its own is used with the first RSA algorithm of this list and no other.
	// Nil means RS256, ES256, PS256 and EdDSA.
	Algorithms []string

	// Leeway is how far the clocks of the issuer and of this machine may be
	// apart. It only widens: a token is accepted until exp plus Leeway, and
	// from nbf and iat minus Leeway. Zero means 30 seconds, at most 5 minutes
	// are allowed; a nanosecond is as good as none.
	Leeway time.Duration

	// ScopeClaims are the claims that may hold the scopes, as a string with
	// spaces between them or as an array of strings. The first one that a token
	// has counts, the others do not. Nil means "scope" (RFC 9068 §2.2.3), else
	// "scp" (Entra, Okta).
	ScopeClaims []string

	// Claims names further top-level claims to keep in
	// [interceptor.TokenInfo.Claims], such as "tenant" or "realm_access".
	Claims []string

	// HTTPClient fetches the discovery document and the key set. It is copied,
	// and the copy follows no redirect to a URL that is less protected than the
	// issuer. Each fetch ends after 10 seconds, whatever Timeout says. Nil means
	// a client of our own with the transport of package http.
	HTTPClient *http.Client

	// RefreshInterval is the age at which the key set is fetched again, in the
	// background, while there are tokens to verify. Zero means 15 minutes; it
	// must be between a second and a day.
	//
	// A key that the issuer has withdrawn is accepted until a refresh succeeds.
	// While tokens keep coming, that is for RefreshInterval and the time of a
	// fetch. The first token after a pause may still be judged by keys of up to
	// twice that age; when they are older, the callers wait for the refresh.
	//
	// While the issuer cannot be reached, or publishes a set that is broken or
	// without a usable key, the last good keys stay trusted, however old they
	// get, so that an outage does not lock everyone out. A refresh is then tried
	// every ten seconds, or every RefreshInterval if that is shorter, and the
	// Logger is told how old the keys are. Only a new [JWT] starts without them.
	RefreshInterval time.Duration

	// CacheSize bounds how many verified tokens are remembered, so that each
	// signature is checked once. An entry is of no use beyond the expiry of the
	// token or the refresh that notices the withdrawal of a key. Zero means
	// 10,000, and a negative number means that nothing is remembered.
	//
	// An entry takes the length of its token, about half a kilobyte, and what
	// is kept of the claims: scopes, audience and those that Claims names.
	// That is one or two kilobytes for usual tokens. Tokens longer than 4 KiB
	// are not remembered; one of that length whose claims are thousands of
	// small values takes up to 40 KiB. Only the issuer can make such tokens.
	CacheSize int

	// Logger is told when the key set cannot be fetched, and when it can again.
	// Nil means slog.Default.
	Logger *slog.Logger
}

// validate reports all faults of the configuration at once.
func (c JWTConfig) validate() error {
	faults := []error{
		checkIssuer(c.Issuer),
		checkRange("Leeway", c.Leeway, 0, maxLeeway),
	}
	if c.RefreshInterval != 0 {
		faults = append(faults, checkRange("RefreshInterval", c.RefreshInterval, minRefreshInterval, maxRefreshInterval))
	}
	if c.Algorithms != nil && len(c.Algorithms) == 0 {
		faults = append(faults, fault("Algorithms", c.Algorithms, "accepts no token; nil stands for the default"))
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(supportedAlgorithms, name) {
			faults = append(faults, fault("Algorithms", name, "is no asymmetric signature algorithm"))
		}
	}
	if slices.Contains(c.ScopeClaims, "") {
		faults = append(faults, fault("ScopeClaims", c.ScopeClaims, "holds an empty name"))
	}
	if slices.Contains(c.Claims, "") {
		faults = append(faults, fault("Claims", c.Claims, "holds an empty name"))
	}
	return errors.Join(faults...)
}

// withDefaults returns the configuration with its zero fields filled and its
// slices copied.
func (c JWTConfig) withDefaults() JWTConfig {
	if c.Algorithms == nil {
		c.Algorithms = defaultAlgorithms
	}
	if c.ScopeClaims == nil {
		c.ScopeClaims = defaultScopeClaims
	}
	if c.Leeway == 0 {
		c.Leeway = defaultLeeway
	}
	if c.RefreshInterval == 0 {
		c.RefreshInterval = defaultRefreshInterval
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	c.Algorithms = slices.Clone(c.Algorithms)
	c.ScopeClaims = slices.Clone(c.ScopeClaims)
	c.Claims = slices.Clone(c.Claims)
	return c
}

func checkIssuer(issuer string) error {
	const field = "Issuer"
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return fault(field, issuer, "is required")
	case err != nil:
		return fault(field, issuer, "is no URL")
	case u.Host == "" || u.Hostname() == "" || u.User != nil:
		return fault(field, issuer, "must have a host and no user")
	case strings.ContainsAny(issuer, "?#"):
		return fault(field, issuer, "must have neither query nor fragment")
	case !isProtected(u):
		return fault(field, issuer, "must be https (or http on a loopback address)")
	default:
		return nil
	}
}

// isProtected reports whether what is read from u cannot be changed on the way.
func isProtected(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func checkRange(field string, value, low, high time.Duration) error {
	if value < low || value > high {
		return fault(field, value, fmt.Sprintf("must be from %v to %v", low, high))
	}
	return nil
}

func fault(field string, value any, reason string) error {
	return fmt.Errorf("verifier: JWTConfig.%s %s %s", field, display(value), reason)
}

// display quotes strings, so that an empty one or one with spaces is seen.
func display(value any) string {
	switch value := value.(type) {
	case string, []string:
		return fmt.Sprintf("%q", value)
	default:
		return fmt.Sprint(value)
	}
}
