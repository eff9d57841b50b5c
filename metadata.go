package drawbridge

import (
	"context"
)

// ResourceMetadata is a protected resource metadata document (RFC 9728 §2).
// Empty members are left out of its JSON.
type ResourceMetadata struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers,omitempty"`
	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported,omitempty"`
	ResourceName           string   `json:"resource_name,omitempty"`
	ResourceDocumentation  string   `json:"resource_documentation,omitempty"`
}

// Metadata returns the metadata document that the path of the request names,
// under the base URL that the request came in under (RFC 9728 §3.3): the path of
// the resource's identifier after "/.well-known/oauth-protected-resource" (§3.1),
// or its mount path before that, which is an older form. It reports false if
// there is none. The scopes are those of the services that the resource serves.
func (a *Authorizer) Metadata(ctx context.Context, req Request) (ResourceMetadata, bool) {
	s := a.state.Load()
	located := req.located()
	address := s.directory.LocateDocument(ctx, &located)
	if address == nil {
		return ResourceMetadata{}, false
	}
	return ResourceMetadata{
		Resource:               address.Identifier,
		AuthorizationServers:   address.Resource.AuthorizationServers(),
		ScopesSupported:        s.scopesOf(address.Resource),
		BearerMethodsSupported: []string{"header"},
		ResourceName:           address.Resource.Name(),
		ResourceDocumentation:  address.Resource.DocumentationURL(),
	}, true
}
