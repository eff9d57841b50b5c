package authtest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// The paths at which an Issuer serves its discovery document, see
// [Issuer.ServeDiscoveryAt].
const (
	OpenIDPath = "/.well-known/openid-configuration"       // OpenID Connect Discovery §4
	OAuthPath  = "/.well-known/oauth-authorization-server" // RFC 8414 §3
)

// TokenInfoPath is the path at which an Issuer answers about tokens with
// [ShapeGoogle], as https://oauth2.googleapis.com/tokeninfo does. It takes a POST with
// the token as access_token in the form, and authenticates no client. It answers with
// the claims of the token and expires_in, a string, or 400 and the error invalid_token.
const TokenInfoPath = "/tokeninfo"

// An Issuer is an OpenID provider on a loopback address. It is safe for
// concurrent use. The zero value is not usable; use [NewIssuer] or [Start].
type Issuer struct {
	// URL is the issuer identifier, such as "http://127.0.0.1:34567", and the
	// iss claim of the tokens. It must not be changed.
	URL string

	reporter      reporter
	server        *httptest.Server
	closing       sync.Once
	discovery     endpoint
	keySet        endpoint
	tokens        endpoint
	introspection endpoint
	tokenInfo     endpoint
	down          atomic.Bool
	minted        atomic.Int64 // counts the tokens, so that each has a jti of its own

	mu        sync.Mutex
	signing   []*key // one for each algorithm, in the order given to NewIssuer
	retired   []*key // still published but no longer used to sign
	withdrawn []*key // no longer published
	strangers []*key // never published, see Token.Forged
	nextKey   int
	places    []string // the paths of the discovery document
	clients   map[string]Client
	opaque    *memory[opaqueToken]
	revoked   *memory[struct{}]
	used      *memory[struct{}] // the jti of assertions, with their client
}

// NewIssuer starts an Issuer that is closed when the test ends. It publishes
// one key for each given algorithm, "ES256", "RS256" or "EdDSA", or one for
// ES256 if none is given. Tokens are signed with the first key by default. An
// unknown algorithm ends the test with Fatalf. Later mistakes are reported with
// Errorf, or panic if tb is a [testing.F].
//
// RSA keys are slow to generate. They are reused by later issuers of the
// process, but never by two at the same time.
func NewIssuer(tb testing.TB, algorithms ...string) *Issuer {
	tb.Helper()
	i, err := start(reporterOf(tb), algorithms)
	if err != nil {
		tb.Fatalf("authtest: %v", err)
	}
	tb.Cleanup(i.Close)
	return i
}

// Start is [NewIssuer] for programs without a [testing.TB], such as examples.
// The caller must call [Issuer.Close]. Mistakes panic.
func Start(algorithms ...string) *Issuer {
	i, err := start(panics{}, algorithms)
	if err != nil {
		panic(fmt.Sprintf("authtest: %v", err))
	}
	return i
}

func start(r reporter, algorithms []string) (*Issuer, error) {
	if len(algorithms) == 0 {
		algorithms = []string{"ES256"}
	}
	i := &Issuer{
		reporter: r,
		places:   []string{OpenIDPath, OAuthPath},
		clients:  make(map[string]Client),
		opaque:   newMemory[opaqueToken](remembered),
		revoked:  newMemory[struct{}](remembered),
		used:     newMemory[struct{}](remembered),
	}
	for _, algorithm := range algorithms {
		k, err := i.newKey(algorithm)
		if err != nil {
			return nil, err
		}
		i.signing = append(i.signing, k)
	}
	i.server = httptest.NewUnstartedServer(i.handler())
	// A client repeats a GET if an idle connection breaks, which would make the
	// counts depend on timing.
	i.server.Config.SetKeepAlivesEnabled(false)
	i.server.Start()
	i.URL = i.server.URL
	return i, nil
}

// Close stops the Issuer and ends delayed requests. Only an Issuer from [Start]
// needs it. Close may be called more than once.
func (i *Issuer) Close() {
	i.closing.Do(func() {
		i.server.CloseClientConnections()
		i.server.Close()
		i.recycleKeys()
	})
}

// ServeDiscoveryAt makes the issuer serve its discovery document at these paths
// alone, in place of [OpenIDPath] and [OAuthPath]. Many providers have only one of
// the two.
func (i *Issuer) ServeDiscoveryAt(paths ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.places = slices.Clone(paths)
}

// DiscoveryRequests returns the number of requests for the discovery document,
// including failed ones, and those for paths that the issuer does not serve.
func (i *Issuer) DiscoveryRequests() int { return int(i.discovery.requests.Load()) }

// KeySetRequests returns the number of requests for the key set, including
// failed ones.
func (i *Issuer) KeySetRequests() int { return int(i.keySet.requests.Load()) }

// TokenRequests returns the number of requests to the token endpoint, including
// failed ones.
func (i *Issuer) TokenRequests() int { return int(i.tokens.requests.Load()) }

// IntrospectionRequests returns the number of requests to the introspection
// endpoint, including failed ones.
func (i *Issuer) IntrospectionRequests() int { return int(i.introspection.requests.Load()) }

// TokenInfoRequests returns the number of requests to the endpoint at
// [TokenInfoPath], including failed ones.
func (i *Issuer) TokenInfoRequests() int { return int(i.tokenInfo.requests.Load()) }

// Discovery returns the discovery document that the issuer serves.
func (i *Issuer) Discovery() []byte {
	return i.marshal(map[string]any{
		"issuer":                                i.URL,
		"jwks_uri":                              i.URL + keySetPath,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + tokenPath,
		"introspection_endpoint":                i.URL + introspectionPath,
		"grant_types_supported":                 []string{"client_credentials"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": i.algorithms(),
		"code_challenge_methods_supported":      []string{"S256"},
		"dpop_signing_alg_values_supported":     proofAlgorithms,

		"token_endpoint_auth_methods_supported":                    authMethods,
		"token_endpoint_auth_signing_alg_values_supported":         assertionAlgorithms,
		"introspection_endpoint_auth_methods_supported":            authMethods,
		"introspection_endpoint_auth_signing_alg_values_supported": assertionAlgorithms,
	})
}

// KeySet returns the key set (RFC 7517 §5) that the issuer currently serves.
func (i *Issuer) KeySet() []byte {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range i.published() {
		set.Keys = append(set.Keys, k.public())
	}
	return i.marshal(set)
}

func (i *Issuer) published() []*key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Concat(i.signing, i.retired)
}

func (i *Issuer) algorithms() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	names := make([]string, 0, len(i.signing))
	for _, k := range i.signing {
		names = append(names, k.algorithm)
	}
	return names
}

// marshal encodes values of this package or of a test. A failure is a mistake
// in the test.
func (i *Issuer) marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		i.reporter.Errorf("authtest: encode %T: %v", v, err)
	}
	return data
}
