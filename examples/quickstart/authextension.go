package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
	"github.com/go-jose/go-jose/v4"
	"github.com/rs/cors"
	oidccrypto "github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/drawbridge-rpc/drawbridge/examples/authserver"
)

// The paths of endpoints below the issuer.
const (
	introspectionPath = "/introspect"
	keysPath          = "/keys" // as in package authserver
	oauthMetadataPath = "/.well-known/oauth-authorization-server"
)

// authServer is the server of package authserver, with two further kinds of tokens:
// opaque ones, which the services look up by introspection (RFC 7662), and those that
// are bound to a key of the client (RFC 9449). op routes requests for introspection;
// it knows DPoP for ID tokens alone.
type authServer struct {
	*authserver.Server

	clients    []client
	secret     string // of introspectionClient
	references *references
	key        *boundKey
	proofs     proof.Store
	handler    http.Handler
}

var _ op.Server = (*authServer)(nil)

// extendAuthServer returns inner with the further kinds of tokens.
func extendAuthServer(inner *authserver.Server, clients []client, secret string) (*authServer, error) {
	key, err := newBoundKey()
	if err != nil {
		return nil, err
	}
	proofs, err := proof.NewMemoryStore(proof.MemoryStoreConfig{})
	if err != nil {
		return nil, err
	}
	s := &authServer{
		Server:     inner,
		clients:    clients,
		secret:     secret,
		references: newReferences(),
		key:        key,
		proofs:     proofs,
	}
	for i, client := range inner.Clients()[:len(clients)] {
		s.clients[i].Client = client // without nil slices
	}
	s.handler = s.routes()
	return s, nil
}

// ServeHTTP serves the endpoints.
func (s *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// announced returns the clients that may request tokens.
func (s *authServer) announced() []client { return slices.Clone(s.clients) }

// routes replaces the endpoints of the inner server whose responses differ.
func (s *authServer) routes() http.Handler {
	tokenPath := strings.TrimPrefix(s.TokenEndpoint(), s.Issuer())
	provider := op.RegisterServer(s, op.Endpoints{
		Token:         op.NewEndpoint(tokenPath),
		Introspection: op.NewEndpoint(introspectionPath),
		JwksURI:       op.NewEndpoint(keysPath),
	}, op.WithServerCORSOptions(nil))

	replaced := http.NewServeMux()
	replaced.Handle(oidc.DiscoveryEndpoint, provider)
	replaced.Handle(keysPath, provider)
	replaced.Handle(tokenPath, basicChallenge(provider))
	replaced.Handle(introspectionPath, basicChallenge(provider))
	replaced.HandleFunc("GET "+oauthMetadataPath, func(w http.ResponseWriter, r *http.Request) {
		alias := r.Clone(r.Context())
		alias.URL.Path = oidc.DiscoveryEndpoint
		provider.ServeHTTP(w, alias)
	})
	shared := cors.New(cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"*"},
	}).Handler(replaced)

	mux := http.NewServeMux()
	mux.Handle("/", s.Server)
	for _, path := range []string{oidc.DiscoveryEndpoint, oauthMetadataPath, keysPath, tokenPath, introspectionPath} {
		mux.Handle(path, shared)
	}
	return mux
}

// Discovery adds the members for introspection and DPoP (RFC 9449 §5.1). It implements
// [op.Server].
func (s *authServer) Discovery(ctx context.Context, r *op.Request[struct{}]) (*op.Response, error) {
	resp, err := s.Server.Discovery(ctx, r)
	if err != nil {
		return nil, err
	}
	document, ok := resp.Data.(*oidc.DiscoveryConfiguration)
	if !ok {
		return nil, fmt.Errorf("quickstart: the metadata is a %T", resp.Data)
	}
	document.IntrospectionEndpoint = s.Issuer() + introspectionPath
	document.IntrospectionEndpointAuthMethodsSupported = []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	return op.NewResponse(struct {
		*oidc.DiscoveryConfiguration

		ProofAlgorithms []jose.SignatureAlgorithm `json:"dpop_signing_alg_values_supported"`
	}{document, proofAlgorithms}), nil
}

// ClientCredentialsExchange issues a token for the client itself. It implements
// [op.Server].
func (s *authServer) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	return s.issue(ctx, r.Header, r.Client.GetID(), func() (*op.Response, error) {
		return s.Server.ClientCredentialsExchange(ctx, r)
	})
}

// CodeExchange issues the token of an authorization code. It implements [op.Server].
func (s *authServer) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	return s.issue(ctx, r.Header, r.Client.GetID(), func() (*op.Response, error) {
		return s.Server.CodeExchange(ctx, r)
	})
}

// issue turns the token of an exchange into one of the kind that the client gets. Any
// client that sends a proof gets a bound token (RFC 9449 §5).
func (s *authServer) issue(ctx context.Context, header http.Header, clientID string, exchange func() (*op.Response, error)) (*op.Response, error) {
	wants := s.find(clientID)
	thumbprint, err := s.checkProof(ctx, header.Values("DPoP"))
	switch {
	case err != nil:
		return nil, err
	case thumbprint == "" && wants.DPoP:
		return nil, invalidProof("the client must send a DPoP proof")
	}
	resp, err := exchange()
	if err != nil || thumbprint == "" && wants.TokenFormat != opaque {
		return resp, err
	}
	issued, ok := resp.Data.(*oidc.AccessTokenResponse)
	if !ok {
		return nil, fmt.Errorf("quickstart: the token response is a %T", resp.Data)
	}
	var claims oidc.AccessTokenClaims
	if _, err := oidc.ParseToken(issued.AccessToken, &claims); err != nil {
		return nil, fmt.Errorf("quickstart: read the token: %w", err)
	}
	claims.Claims = nil
	if thumbprint != "" {
		claims.Claims = map[string]any{"cnf": map[string]string{"jkt": thumbprint}}
		issued.TokenType = "DPoP"
	}
	if wants.TokenFormat == opaque {
		issued.AccessToken, err = s.references.put(&claims, issued.TokenType)
	} else {
		issued.AccessToken, err = oidccrypto.Sign(&claims, s.key.signer)
	}
	return resp, err
}

// find returns what the tokens of a client are like. Those of a client that
// registered itself are as the zero value says.
func (s *authServer) find(id string) client {
	for _, client := range s.clients {
		if client.ID == id {
			return client
		}
	}
	return client{}
}

// basicChallenge adds the challenge that every 401 needs (RFC 9110 §15.5.2) and that
// op omits.
func basicChallenge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(challengeWriter{w}, r)
	})
}

type challengeWriter struct{ http.ResponseWriter }

// WriteHeader adds the challenge to a 401.
func (w challengeWriter) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`)
	}
	w.ResponseWriter.WriteHeader(status)
}
