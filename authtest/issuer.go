package authtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// The paths that an Issuer answers. The first two hold the same document:
// clients of OpenID Connect Discovery ask for the one, those of RFC 8414 for
// the other.
const (
	discoveryPath = "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server"
	keySetPath    = "/keys"
)

// An Issuer is an OpenID provider on a loopback address that is there for the
// length of one test. Its methods may be called concurrently. The zero value is
// not usable; [NewIssuer] and [Start] make one.
type Issuer struct {
	// URL is the issuer identifier, for example "http://127.0.0.1:34567". It is
	// the iss claim of the tokens and stays the same for the life of the
	// Issuer. It must not be changed.
	URL string

	reporter  reporter
	server    *httptest.Server
	closing   sync.Once
	discovery endpoint
	keySet    endpoint
	down      atomic.Bool
	minted    atomic.Int64 // tokens so far, for the jti claim

	mu        sync.Mutex
	signing   []*key // one for each algorithm, in the order given to NewIssuer
	retired   []*key // still published, no longer used to sign
	withdrawn []*key // no longer published
	strangers []*key // never published, see Token.Forged
	nextKey   int
}

// A reporter is told of mistakes in the test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// panics is the reporter of an Issuer that belongs to no test.
type panics struct{}

func (panics) Helper() {}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// An endpoint counts its requests, and its answer can be replaced.
type endpoint struct {
	requests    atomic.Int64
	replacement atomic.Pointer[http.Handler]
}

// NewIssuer starts an Issuer that ends with the test. It holds one published
// key for each of the algorithms "ES256", "RS256" and "EdDSA" that is named;
// without any, it holds one for ES256. Tokens are signed with the first unless
// they ask for another. An algorithm that it does not know ends the test. Later
// mistakes are errors of the test, and panics if tb is a [testing.F].
//
// RSA keys take long to generate. They are kept and handed to later issuers of
// the same process, but never to two that live at the same time.
func NewIssuer(tb testing.TB, algorithms ...string) *Issuer {
	tb.Helper()
	var r reporter = tb
	if _, ok := tb.(*testing.F); ok {
		r = panics{} // a fuzz target must not call the methods of its F
	}
	i, err := start(r, algorithms)
	if err != nil {
		tb.Fatalf("authtest: %v", err)
	}
	tb.Cleanup(i.Close)
	return i
}

// Start is [NewIssuer] for what has no [testing.TB], such as an example or a
// demonstration. The caller ends the Issuer with [Issuer.Close]. What NewIssuer
// would report to the test is a panic here.
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
	i := &Issuer{reporter: r}
	for _, algorithm := range algorithms {
		k, err := i.newKey(algorithm)
		if err != nil {
			return nil, err
		}
		i.signing = append(i.signing, k)
	}
	i.server = httptest.NewUnstartedServer(i.handler())
	// A client sends a GET again when an idle connection breaks, which would
	// make the counts depend on timing. Without idle connections it does not.
	i.server.Config.SetKeepAlivesEnabled(false)
	i.server.Start()
	i.URL = i.server.URL
	return i, nil
}

// Close ends the Issuer and what it holds back. Only an Issuer from [Start]
// needs it. Closing twice is allowed.
func (i *Issuer) Close() {
	i.closing.Do(func() {
		i.server.CloseClientConnections()
		i.server.Close()
		i.recycleKeys()
	})
}

// DiscoveryRequests returns how many times the discovery document was asked
// for, whatever the answer was.
func (i *Issuer) DiscoveryRequests() int { return int(i.discovery.requests.Load()) }

// KeySetRequests returns how many times the key set was asked for, whatever the
// answer was.
func (i *Issuer) KeySetRequests() int { return int(i.keySet.requests.Load()) }

// Discovery returns the discovery document as the issuer serves it.
func (i *Issuer) Discovery() []byte {
	return i.marshal(map[string]any{
		"issuer":                                i.URL,
		"jwks_uri":                              i.URL + keySetPath,
		"authorization_endpoint":                i.URL + "/authorize",
		"token_endpoint":                        i.URL + "/token",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": i.algorithms(),
		"code_challenge_methods_supported":      []string{"S256"},
	})
}

// KeySet returns the key set (RFC 7517 §5) as the issuer serves it now.
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
	mux.Handle(discoveryPath, i.serve(&i.discovery, i.Discovery))
	mux.Handle(metadataPath, i.serve(&i.discovery, i.Discovery))
	mux.Handle(keySetPath, i.serve(&i.keySet, i.KeySet))
	return mux
}

// serve answers with a document, unless the issuer is down or the answer of the
// endpoint was replaced.
func (i *Issuer) serve(e *endpoint, document func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		if i.down.Load() {
			// The server closes the connection without an answer and without
			// a line in the log.
			panic(http.ErrAbortHandler)
		}
		if replacement := e.replacement.Load(); replacement != nil {
			(*replacement).ServeHTTP(w, r)
			return
		}
		writeJSON(w, document())
	})
}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a client that went away is not the issuer's concern
}

// marshal encodes values that this package made, or that a test gave it. What
// cannot be encoded is a mistake in the test.
func (i *Issuer) marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		i.reporter.Errorf("authtest: encode %T: %v", v, err)
	}
	return data
}
