package authzen

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// The defaults and bounds of a [Config].
const (
	defaultTimeout       = time.Second
	maxTimeout           = 30 * time.Second
	defaultMaxConcurrent = 256
	defaultMaxElements   = 50
	maxElements          = 1000
	defaultMaxCached     = 10_000
)

// Config states how a policy decision point is asked. Only URL is required. [New] copies
// what it needs; later changes have no effect.
//
// It holds secrets, which String, GoString, LogValue and MarshalJSON leave out.
type Config struct {
	// URL is the base URL of the policy decision point, which is also its identifier
	// (AuthZEN §9.1.1), such as https://pdp.example.com or
	// https://pdp.example.com/tenant1. It is https, or http on loopback. A redirect is
	// not followed.
	URL string

	// AllowPlaintextURL allows http elsewhere than on loopback. Whoever is on the way can
	// then read the questions and the credentials, and answer in place of the policy
	// decision point: AuthZEN §11.1 requires a protected connection.
	AllowPlaintextURL bool

	// Discover reads the addresses of the two endpoints out of the metadata of URL
	// (AuthZEN §9), when the first question is asked. A list cannot be asked about if the
	// metadata has no access_evaluations_endpoint.
	Discover bool

	// EvaluationURL and EvaluationsURL are the addresses of the endpoints for one question
	// (AuthZEN §6) and for a list (§7). Empty means /access/v1/evaluation and
	// /access/v1/evaluations below URL.
	EvaluationURL, EvaluationsURL string

	// BearerToken authenticates this server (RFC 6750 §2.1). It may be empty: a client
	// certificate belongs into HTTPClient, and other credentials into Header.
	BearerToken string

	// TokenSource returns the token for each request, in place of BearerToken. It is called
	// concurrently. It must not depend on the caller of this server, because callers share
	// an answer where [policy.Question.CacheFor] is set, and it has to end with its context.
	// If it fails, the question has no answer, and its error is logged.
	TokenSource func(ctx context.Context) (string, error)

	// Header holds further header fields of each request, such as an API key.
	Header http.Header

	// HTTPClient sends the requests. Nil means a client of its own, with the settings of
	// http.DefaultTransport.
	HTTPClient *http.Client

	// Timeout bounds how long a call waits for an answer, besides its own context. Zero
	// means one second; the maximum is 30 seconds.
	Timeout time.Duration

	// MaxConcurrent is the maximum number of requests that are on their way at one time.
	// Further ones wait for their turn, within Timeout. Zero means 256.
	MaxConcurrent int

	// MaxElements is the maximum length of a list that a question is asked about. A call
	// with more elements does not meet the rule. Zero means 50; the maximum is 1,000.
	MaxElements int

	// MaxCached is the maximum number of answers to remember, in about 150 bytes each. It
	// has an effect where [policy.Question.CacheFor] is set. Zero means 10,000; a negative
	// number means none.
	MaxCached int

	// Logger receives a record when the policy decision point stops answering, one when it
	// refuses the credentials of this server, and one when it answers again. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// String describes c without its secrets.
func (c Config) String() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "AuthZEN at a malformed URL"
	}
	return "AuthZEN at " + u.Redacted()
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON returns String as a JSON string: a structured log encodes what holds c.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// check reports all faults of the configuration.
func (c Config) check() error {
	faults := fault.List{Within: "authzen: "}
	c.checkURLs(&faults)
	c.checkCredentials(&faults)
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		faults.Add("Timeout", c.Timeout.String(), "is not between 0 and "+maxTimeout.String(), "")
	}
	if c.MaxConcurrent < 0 {
		faults.Add("MaxConcurrent", strconv.Itoa(c.MaxConcurrent), "is negative", "")
	}
	if c.MaxElements < 0 || c.MaxElements > maxElements {
		faults.Add("MaxElements", strconv.Itoa(c.MaxElements), "is not between 0 and "+strconv.Itoa(maxElements), "")
	}
	return faults.Err()
}

func (c Config) checkURLs(faults *fault.List) {
	address := c.URL
	if rest, isPlaintext := strings.CutPrefix(address, "http://"); isPlaintext && c.AllowPlaintextURL {
		address = "https://" + rest // The rest is checked alike.
	}
	if _, reason := uri.ParseIdentifier(address); reason != "" {
		faults.Add("URL", redacted(c.URL), reason, "")
	}
	for _, endpoint := range [...]struct{ place, address string }{{"EvaluationURL", c.EvaluationURL}, {"EvaluationsURL", c.EvaluationsURL}} {
		switch {
		case endpoint.address == "":
		case c.Discover:
			faults.Add(endpoint.place, redacted(endpoint.address), "is set beside Discover, which finds it", "remove one of them")
		case !c.isEndpoint(endpoint.address):
			faults.Add(endpoint.place, redacted(endpoint.address), "is not an https URL; questions are sent to it (http is allowed on loopback)", "")
		}
	}
	if c.AllowPlaintextURL && !slices.ContainsFunc([]string{c.URL, c.EvaluationURL, c.EvaluationsURL}, isPlaintext) {
		faults.Add("AllowPlaintextURL", "", "is set, and no URL needs it", "remove it")
	}
}

// isEndpoint reports whether questions may be sent to an address.
func (c Config) isEndpoint(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(uri.IsProtected(u) || c.AllowPlaintextURL && u.Scheme == "http")
}

// isPlaintext reports whether an address is http elsewhere than on loopback.
func isPlaintext(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "http" && !uri.IsProtected(u)
}

func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

func (c Config) checkCredentials(faults *fault.List) {
	if c.BearerToken != "" && !isToken(c.BearerToken) {
		faults.Add("BearerToken", "", "holds a character that no token has", "")
	}
	if c.BearerToken != "" && c.TokenSource != nil {
		faults.Add("TokenSource", "", "is set beside BearerToken", "remove one of them")
	}
	for _, name := range sortedKeys(c.Header) {
		values := c.Header[name]
		switch {
		case !isFieldName(name) || slices.ContainsFunc(values, isNoFieldValue):
			faults.Add("Header", name, "is not a header field, or has a value that is none", "")
		case isOwnField(name):
			faults.Add("Header", name, "is set by this package, or by package net/http", "remove it")
		case http.CanonicalHeaderKey(name) == "Authorization" && (c.BearerToken != "" || c.TokenSource != nil):
			faults.Add("Header", name, "is set beside BearerToken or TokenSource", "remove one of them")
		}
	}
}

// copied returns c with its zero fields filled in, sharing no memory with it.
func (c Config) copied() Config {
	r := c
	base := strings.TrimSuffix(r.URL, "/")
	r.EvaluationURL = cmp.Or(r.EvaluationURL, base+"/access/v1/evaluation")
	r.EvaluationsURL = cmp.Or(r.EvaluationsURL, base+"/access/v1/evaluations")
	r.Timeout = cmp.Or(r.Timeout, defaultTimeout)
	r.MaxConcurrent = cmp.Or(r.MaxConcurrent, defaultMaxConcurrent)
	r.MaxElements = cmp.Or(r.MaxElements, defaultMaxElements)
	r.MaxCached = cmp.Or(r.MaxCached, defaultMaxCached)
	r.Header = make(http.Header, len(c.Header))
	for name, values := range c.Header {
		key := http.CanonicalHeaderKey(name)
		r.Header[key] = append(r.Header[key], values...)
	}
	return r
}
