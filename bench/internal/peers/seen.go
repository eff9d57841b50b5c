package peers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/authn"
	"connectrpc.com/connect"
	grpcauth "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	mcpauth "github.com/modelcontextprotocol/go-sdk/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Caller is what a peer knows of a verified token.
type Caller struct {
	Subject string
	Scopes  []string
}

type callerKey struct{}

// Seen holds the tokens that a peer has verified.
type Seen struct{ tokens sync.Map }

// NewSeen returns a Seen with one token.
func NewSeen(raw string) *Seen {
	s := new(Seen)
	s.tokens.Store(raw, &Caller{Subject: "ada", Scopes: []string{Scope}})
	return s
}

var errUnknown = errors.New("unknown token")

func (s *Seen) lookup(raw string) (*Caller, error) {
	found, ok := s.tokens.Load(raw)
	if !ok {
		return nil, errUnknown
	}
	return found.(*Caller), nil //nolint:forcetypeassert // Nothing else is ever stored.
}

// Authn is the middleware of connectrpc.com/authn.
func (s *Seen) Authn(next http.Handler) http.Handler {
	return authn.NewMiddleware(func(_ context.Context, r *http.Request) (any, error) {
		raw, ok := authn.BearerToken(r)
		if !ok {
			return nil, authn.Errorf("no token")
		}
		found, err := s.lookup(raw)
		if err != nil {
			return nil, authn.Errorf("%v", err)
		}
		return found, nil
	}).Wrap(next)
}

// GoSDK is the middleware of the MCP go-sdk.
func (s *Seen) GoSDK(next http.Handler) http.Handler {
	verify := func(_ context.Context, raw string, _ *http.Request) (*mcpauth.TokenInfo, error) {
		found, err := s.lookup(raw)
		if err != nil {
			return nil, mcpauth.ErrInvalidToken
		}
		return &mcpauth.TokenInfo{Scopes: found.Scopes, Expiration: time.Now().Add(time.Hour), UserID: found.Subject}, nil
	}
	return mcpauth.RequireBearerToken(verify, &mcpauth.RequireBearerTokenOptions{
		ResourceMetadataURL: Resource + "/.well-known/oauth-protected-resource",
		Scopes:              []string{Scope},
	})(next)
}

// GRPC is the interceptor of go-grpc-middleware.
func (s *Seen) GRPC() grpc.UnaryServerInterceptor {
	return grpcauth.UnaryServerInterceptor(func(ctx context.Context) (context.Context, error) {
		raw, err := grpcauth.AuthFromMD(ctx, "bearer")
		if err != nil {
			return nil, err
		}
		found, err := s.lookup(raw)
		if err != nil {
			return nil, status.Error(codes.Unauthenticated, "unknown token")
		}
		return context.WithValue(ctx, callerKey{}, found), nil
	})
}

// Connect is an interceptor of connect-go as one writes it by hand.
func (s *Seen) Connect() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			raw, ok := strings.CutPrefix(req.Header().Get("Authorization"), "Bearer ")
			if !ok {
				return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("no token"))
			}
			found, err := s.lookup(raw)
			if err != nil {
				return nil, connect.NewError(connect.CodeUnauthenticated, err)
			}
			return next(context.WithValue(ctx, callerKey{}, found), req)
		}
	}
}
