package drawbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// ResourceMetadata is a protected resource metadata document (RFC 9728 §2).
// Empty members are left out of its JSON.
type ResourceMetadata struct {
	Resource                              string   `json:"resource"`
	AuthorizationServers                  []string `json:"authorization_servers,omitempty"`
	ScopesSupported                       []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported                []string `json:"bearer_methods_supported,omitempty"`
	ResourceName                          string   `json:"resource_name,omitempty"`
	ResourceDocumentation                 string   `json:"resource_documentation,omitempty"`
	TLSClientCertificateBoundAccessTokens bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPSigningAlgValuesSupported         []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPBoundAccessTokensRequired         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	// Further are the members of [Resource].Metadata, encoded.
	Further map[string]json.RawMessage `json:"-"`
}

// MarshalJSON encodes the document as one object, Further included.
func (m ResourceMetadata) MarshalJSON() ([]byte, error) {
	type plain ResourceMetadata
	document, err := json.Marshal(plain(m))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.Further)) {
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		document = slices.Concat(document[:len(document)-1], []byte(","), key, []byte(":"), m.Further[name], []byte("}"))
	}
	return document, nil
}

// reserved are the members of a document that configuration beside
// [Resource].Metadata determines, and those whose meaning is that they are not there.
var reserved = []string{
	"resource", "authorization_servers", "scopes_supported", "bearer_methods_supported", "resource_name", "resource_documentation",
	"tls_client_certificate_bound_access_tokens", "dpop_signing_alg_values_supported", "dpop_bound_access_tokens_required",
	"signed_metadata", // would be believed in place of the rest (RFC 9728 §2.2)
}

// checkMetadata adds the faults of the further members of documents.
func (cfg *Config) checkMetadata(faults *fault.List) {
	for i, r := range cfg.Resources {
		for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
			place := fmt.Sprintf("Resources[%d].Metadata[%q]", i, name)
			_, err := json.Marshal(r.Metadata[name])
			switch {
			case name == "":
				faults.Add(place, "", "has no name", "")
			case slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) }):
				faults.Add(place, "", "follows from the rest of the configuration", "remove it")
			case err != nil:
				faults.Add(place, "", "cannot be encoded: "+err.Error(), "")
			case isEmptyMember(r.Metadata[name]):
				faults.Add(place, "", "is empty, and RFC 9728 §2 has empty members left out", "remove it")
			}
		}
	}
}

// isEmptyMember reports whether a member has no value (RFC 9728 §2).
func isEmptyMember(value any) bool {
	encoded, err := json.Marshal(value)
	return err == nil && slices.Contains([]string{"null", "[]", `""`}, string(encoded))
}

// extras is what of a resource only this package knows.
type extras struct {
	proof   policy.Proof
	members map[string]json.RawMessage
}

// extrasOf returns the extras of resources that were checked.
func extrasOf(directory *resource.Directory, configured []Resource) map[*resource.Resource]*extras {
	all := make(map[*resource.Resource]*extras)
	for _, r := range directory.Resources() {
		from := configured[r.Position()]
		e := &extras{proof: from.Proof, members: make(map[string]json.RawMessage)}
		for name, value := range from.Metadata {
			if encoded, err := json.Marshal(value); err == nil { // as it was checked
				e.members[name] = encoded
			}
		}
		all[r] = e
	}
	return all
}

// located returns the parts of the resources that select one. The policy says which
// services some of them have.
func (cfg *Config) located(table *policy.Table, faults *fault.List) []resource.Config {
	located := make([]resource.Config, len(cfg.Resources))
	for i, r := range cfg.Resources {
		located[i] = r.located()
	}
	if table == nil {
		return located
	}
	named := table.Resources()
	for _, identifier := range slices.Sorted(maps.Keys(named)) {
		i := slices.IndexFunc(cfg.Resources, func(r Resource) bool { return r.Identifier == identifier })
		if i < 0 {
			place := fmt.Sprintf("Resources[%q]", identifier)
			faults.AddAt(cfg.Policy.Sources[place], "Policy."+place, identifier, "is not the Identifier of a resource of the server",
				"write it as it stands there, or add the resource")
			continue
		}
		located[i].Services = named[identifier]
	}
	return located
}

// located returns the part of r that selects a resource.
func (r *Resource) located() resource.Config {
	return resource.Config{
		Identifier: r.Identifier, MountPath: r.MountPath, Services: r.Services, AuthorizationServers: r.AuthorizationServers, Issuers: r.Issuers,
		Aliases: r.Aliases, Audiences: r.Audiences, MetadataURL: r.MetadataURL, Name: r.Name, DocumentationURL: r.DocumentationURL,
	}
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
	more := s.extras[address.Resource]
	document := ResourceMetadata{
		Resource:               address.Identifier,
		AuthorizationServers:   address.Resource.AuthorizationServers(),
		ScopesSupported:        s.scopesOf(address.Resource),
		BearerMethodsSupported: []string{"header"},
		ResourceName:           address.Resource.Name(),
		ResourceDocumentation:  address.Resource.DocumentationURL(),
		Further:                maps.Clone(more.members),
	}
	if more.proof == policy.ProofRefused {
		return document, true
	}
	_, certificates := s.bindings[certificateMethod]
	document.TLSClientCertificateBoundAccessTokens = certificates
	document.DPoPSigningAlgValuesSupported = slices.Clone(s.dpop.algs)
	// Where certificates do as well, DPoP is not what is always required.
	document.DPoPBoundAccessTokensRequired = more.proof == policy.ProofRequired && s.dpop.method != "" && !certificates
	return document, true
}
