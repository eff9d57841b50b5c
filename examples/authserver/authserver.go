// Package authserver is an OAuth 2.0 authorization server for the examples,
// built on the op package of github.com/zitadel/oidc.
//
// It supports the authorization code grant with PKCE, for a client with a user, and
// the client credentials grant, for a client without one. A token is a JWT for
// exactly one resource, the one that the request names in the parameter resource
// (RFC 8707). Clients find the endpoints in the metadata documents (RFC 8414, OpenID
// Connect Discovery) and may register themselves (RFC 7591).
//
// It is a demonstration in one process. The signing key, the clients and the codes
// are in memory, and the only user is signed in without authentication. The storage
// interface of op does not pass the parameter resource on, so this package implements
// [op.Server], whose methods get the whole form of a request.
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

// defaultTokenLifetime is the lifetime of tokens if [Config] has none.
const defaultTokenLifetime = time.Hour

// Config configures a [Server]. [New] copies it.
type Config struct {
	// Issuer is the URL at which the server is reached, without a path. It is
	// the iss claim of every token.
	Issuer string
	// Resources are the resource identifiers for which tokens may be requested.
	Resources []string
	// Scopes are the scopes that may be requested. A request that names none is
	// for all of them (RFC 6749 §3.3).
	Scopes []string
	// Clients are the clients that may request tokens. Others may register
	// themselves.
	Clients []Client
	// Subject is the only user: the sub claim of tokens of the authorization code
	// grant.
	Subject string
	// TokenLifetime is the lifetime of a token. Zero means an hour.
	TokenLifetime time.Duration
	// Logger receives the log of the server. Nil means [slog.Default].
	Logger *slog.Logger
}

// A Server is an authorization server: an [http.Handler] for the root of its
// issuer URL. Its methods may be called concurrently.
type Server struct {
	op.UnimplementedServer // responds to everything that is not implemented here

	config  Config
	clients *clients
	grants  *grants
	key     *signingKey
	handler http.Handler
}

var _ op.Server = (*Server)(nil)

// New returns an authorization server with a new signing key. It reports all faults
// of config at once.
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
		faults = append(faults, errors.New("authserver: Resources is empty, so no token could be requested"))
	}
	if len(c.Scopes) == 0 {
		faults = append(faults, errors.New("authserver: Scopes is empty, so no token could be requested"))
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

// Issuer returns the issuer of the tokens.
func (s *Server) Issuer() string { return s.config.Issuer }

// TokenEndpoint returns the URL of the token endpoint.
func (s *Server) TokenEndpoint() string { return s.config.Issuer + tokenPath }

// Clients returns a copy of the configured clients.
func (s *Server) Clients() []Client {
	all := make([]Client, 0, len(s.config.Clients))
	for _, client := range s.config.Clients {
		all = append(all, client.clone())
	}
	return all
}

// routes returns the endpoints of op together with those that op does not have.
// Clients in a browser may use all of them, because none depends on cookies.
func (s *Server) routes() http.Handler {
	provider := op.RegisterServer(s, op.Endpoints{
		Authorization: op.NewEndpoint(authorizePath),
		Token:         op.NewEndpoint(tokenPath),
		JwksURI:       op.NewEndpoint(keysPath),
	}, op.WithServerCORSOptions(nil))

	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle(authorizePath, s.defaultScope(provider))
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
