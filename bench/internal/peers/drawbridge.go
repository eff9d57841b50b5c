// Package peers sets up drawbridge and the libraries that it is compared with.
package peers

import (
	"fmt"
	"log/slog"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/httpbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// What is guarded.
const (
	Resource = "https://api.example.com"
	Service  = "bench.v1.EchoService"
	Method   = "/" + Service + "/Echo"
	Scope    = "echo:read"
)

// Drawbridge is an Authorizer with the real verifier, and a token that it has
// seen.
type Drawbridge struct {
	Authorizer *drawbridge.Authorizer
	Config     drawbridge.Config
	Bridge     *httpbridge.Bridge
	Token      string
}

// NewDrawbridge guards a number of methods of the service for tokens of an
// issuer.
func NewDrawbridge(issuer *authtest.Issuer, methods int) (*Drawbridge, error) {
	jwt, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL}}})
	if err != nil {
		return nil, err
	}
	rule := policy.Rule{Scopes: []string{Scope}}
	rules := map[string]policy.Rule{"Echo": rule}
	for i := range methods - 1 {
		rules[fmt.Sprintf("Method%d", i)] = rule
	}
	d := &Drawbridge{Token: issuer.Mint(authtest.Token{Audience: []string{Resource}, Scope: Scope})}
	d.Config = drawbridge.Config{
		Resources: []drawbridge.Resource{{Identifier: Resource, AuthorizationServers: []string{issuer.URL}}},
		Policy:    policy.Policy{Services: map[string]policy.Service{Service: {Rule: rule, Methods: rules, NoDescriptor: true}}},
		Verifier:  jwt,
		Logger:    slog.New(slog.DiscardHandler),
	}
	d.Authorizer, err = drawbridge.New(d.Config)
	if err != nil {
		return nil, err
	}
	d.Bridge, err = httpbridge.New(httpbridge.Config{Authorizer: d.Authorizer})
	return d, err
}
