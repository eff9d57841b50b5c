package interceptor

import (
	"slices"
	"strings"
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

// Metadata returns the metadata document of the resource whose identifier has
// exactly the path of the request, under the base URL that the request came in
// under (RFC 9728 §3.3). It reports false if there is none. The scopes are those
// of the policy.
func (a *Authorizer) Metadata(req Request) (ResourceMetadata, bool) {
	path := strings.TrimSuffix(req.path(), "/")
	there := func(r *resource) bool { return r.path == path }
	r := a.directory.pick(req.Host, there)
	if i := slices.IndexFunc(a.directory.resources, there); r == nil && i >= 0 {
		r = a.directory.resources[i] // Nothing is let in by it, unlike elsewhere.
	}
	if r == nil {
		return ResourceMetadata{}, false
	}
	through := a.directory.doorOf(r, &req)
	return ResourceMetadata{
		Resource:               through.identifier,
		AuthorizationServers:   slices.Clone(through.resource.AuthorizationServers),
		ScopesSupported:        a.table.Scopes(),
		BearerMethodsSupported: []string{"header"},
		ResourceName:           through.resource.Name,
		ResourceDocumentation:  through.resource.Documentation,
	}, true
}

// MetadataURL returns the URL of the metadata document of the resource that the
// request belongs to, which a challenge names. If no resource covers its path,
// that is the first one.
func (a *Authorizer) MetadataURL(req Request) string {
	through := a.directory.find(&req)
	if through == nil {
		through = a.directory.doors[0]
	}
	return through.metadataURL
}
