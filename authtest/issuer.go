package authtest

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// The other paths that an Issuer serves.
const (
	keySetPath = "/keys"
	tokenPath  = "/token"
)

// An Issuer is an OpenID provider on a loopback address. It is safe for
// concurrent use. The zero value is not usable; use [NewIssuer] or [Start].
type Issuer struct {
	// URL is the issuer identifier, such as "http://127.0.0.1:34567", and the
	// iss claim of the tokens. It must not be changed.
	URL string

	reporter  reporter
	server    *httptest.Server
	closing   sync.Once
	discovery endpoint
	keySet    endpoint
	tokens    endpoint
	down      atomic.Bool
	minted    atomic.Int64 // the number of tokens, for the jti claim

	mu        sync.Mutex
	signing   []*key // one for each algorithm, in the order given to NewIssuer
	retired   []*key // still published but no longer used to sign
	withdrawn []*key // no longer published
	strangers []*key // never published, see Token.Forged
	nextKey   int
	places    []string // the paths of the discovery document
	clients   map[string]client
}

// A reporter receives mistakes in the test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// panics is the reporter of an Issuer without a test.
type panics struct{}

func (panics) Helper() {}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// An endpoint counts its requests. Its handler can be replaced.
type endpoint struct {
	requests    atomic.Int64
	replacement atomic.Pointer[http.Handler]
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
	var r reporter = tb
	if _, ok := tb.(*testing.F); ok {
		r = panics{} // a fuzz target must not call methods of its F
	}
	i, err := start(r, algorithms)
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
	i := &Issuer{reporter: r, places: []string{OpenIDPath, OAuthPath}, clients: make(map[string]client)}
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

// Discovery returns the discovery document that the issuer serves.
func (i *Issuer) Discovery() []byte {
	return i.marshal(map[string]any{
		"issuer":                                i.URL,
		"jwks_uri":                              i.URL + keySetPath,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + tokenPath,
		"grant_types_supported":                 []string{"client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": i.algorithms(),
		"code_challenge_methods_supported":      []string{"S256"},
	})
}

// KeySet returns the key set (RFC 7517 §5) that the issuer currently serves.
func (i *Issuer) KeySet() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range append(append([]*key{}, i.signing...), i.retired...) {
		set.Keys = append(set.Keys, k.public())
	}
	return i.marshal(set)
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

func (i *Issuer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(keySetPath, i.counted(&i.keySet, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.KeySet()) }))
	mux.Handle(tokenPath, i.counted(&i.tokens, i.serveToken))
	mux.Handle("/", i.counted(&i.discovery, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, i.Discovery()) }))
	return mux
}

// counted returns a handler that counts the requests of an endpoint. It fails if
// the issuer is down, and gives way to the replacement of the endpoint if there is
// one.
func (i *Issuer) counted(e *endpoint, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		if i.down.Load() {
			// The server closes the connection without a response and does not
			// log the panic.
			panic(http.ErrAbortHandler)
		}
		if !i.hasPath(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		if replacement := e.replacement.Load(); replacement != nil {
			(*replacement).ServeHTTP(w, r)
			return
		}
		next(w, r)
	})
}

func (i *Issuer) hasPath(path string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return path == keySetPath || path == tokenPath || slices.Contains(i.places, path)
}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // fails only if the client has gone away
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
