// Package authserver is an OAuth 2.0 authorization server for the examples,
// built on the op package of github.com/zitadel/oidc.
//
// It knows two ways to a token: the authorization code grant with PKCE, for a
// person in front of a client, and the client credentials grant, for a client
// on its own. A token is a JWT for exactly one resource, the one that the
// request names in the parameter resource (RFC 8707). Clients find the
// endpoints in the metadata documents (RFC 8414, OpenID Connect Discovery) and
// may register themselves (RFC 7591).
//
// It is a demonstration in one process. The signing key, the clients and the
// codes are in memory, and the only person who has an account is signed in
// without being asked. op offers no hook for the parameter resource in its
// storage interface; this package therefore implements [op.Server], whose
// methods see the whole form of a request.
package authserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/rs/cors"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The paths of the endpoints below the issuer.
const (
	authorizePath = "/authorize"
	loginPath     = "/login"
	tokenPath     = "/token"
	keysPath      = "/keys"
	registerPath  = "/register"

	oauthMetadataPath = "/.well-known/oauth-authorization-server" // RFC 8414 §3
)

// defaultTokenLifetime is the lifetime of a token for which [Config] names none.
const defaultTokenLifetime = time.Hour

// Config describes a [Server]. [New] copies it.
type Config struct {
	// Issuer is the URL at which the server is reached, without a path. It is
	// the iss claim of every token.
	Issuer string
	// Resources are the resource identifiers that a token may be asked for.
	Resources []string
	// Scopes are the scopes that a token may be asked for.
	Scopes []string
	// Clients are those who may ask. More may register themselves.
	Clients []Client
	// Subject is the one person with an account, the sub claim of the tokens
	// that come from the authorization code grant.
	Subject string
	// TokenLifetime is how long a token is good. Zero means an hour.
	TokenLifetime time.Duration
	// Logger receives what the server decides. Nil means [slog.Default].
	Logger *slog.Logger
}

// A Server is an authorization server: an [http.Handler] for the root of its
// issuer. Its methods may be called concurrently.
type Server struct {
	op.UnimplementedServer // answers what is not implemented here

	config  Config
	clients *clients
	grants  *grants
	key     *signingKey
	handler http.Handler
}

var _ op.Server = (*Server)(nil)

// New returns an authorization server, with a fresh signing key. It reports
// all faults of config at once.
func New(config Config) (*Server, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config.Resources = slices.Clone(config.Resources)
	config.Scopes = slices.Clone(config.Scopes)
	if config.TokenLifetime == 0 {
		config.TokenLifetime = defaultTokenLifetime
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:  config,
		clients: newClients(config.Clients),
		grants:  newGrants(),
		key:     key,
	}
	s.handler = s.routes()
	return s, nil
}

func (c *Config) validate() error {
	var faults []error
	if issuer, err := url.Parse(c.Issuer); err != nil || issuer.Host == "" || issuer.Path != "" || issuer.RawQuery != "" || issuer.Fragment != "" {
		faults = append(faults, fmt.Errorf("authserver: Issuer %q is not a URL without a path", c.Issuer))
	}
	if len(c.Resources) == 0 {
		faults = append(faults, errors.New("authserver: Resources is empty, no token could be asked for"))
	}
	if len(c.Scopes) == 0 {
		faults = append(faults, errors.New("authserver: Scopes is empty, no token could be asked for"))
	}
	if c.Subject == "" {
		faults = append(faults, errors.New("authserver: Subject is empty"))
	}
	for _, client := range c.Clients {
		faults = append(faults, client.validate())
	}
	return errors.Join(faults...)
}

// ServeHTTP serves the endpoints.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Issuer is the issuer of the tokens.
func (s *Server) Issuer() string { return s.config.Issuer }

// TokenEndpoint is the URL that hands out tokens.
func (s *Server) TokenEndpoint() string { return s.config.Issuer + tokenPath }

// Clients are the clients that were configured. The caller owns the result.
func (s *Server) Clients() []Client {
	all := make([]Client, 0, len(s.config.Clients))
	for _, client := range s.config.Clients {
		all = append(all, client.clone())
	}
	return all
}

// routes puts the endpoints that op does not know beside those that it does.
// Clients in a browser may use all of them; nothing here depends on cookies.
func (s *Server) routes() http.Handler {
	provider := op.RegisterServer(s, op.Endpoints{
		Authorization: op.NewEndpoint(authorizePath),
		Token:         op.NewEndpoint(tokenPath),
		JwksURI:       op.NewEndpoint(keysPath),
	}, op.WithServerCORSOptions(nil))

	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle(tokenPath, basicChallenge(provider))
	mux.HandleFunc("GET "+loginPath, s.login)
	mux.HandleFunc("POST "+registerPath, s.register)
	mux.HandleFunc("GET "+oauthMetadataPath, func(w http.ResponseWriter, r *http.Request) {
		alias := r.Clone(r.Context())
		alias.URL.Path = oidc.DiscoveryEndpoint
		provider.ServeHTTP(w, alias)
	})
	return cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"*"},
	}).Handler(mux)
}
