// Package resource finds the protected resource that a request belongs to, and the
// URL under which the client knows it.
//
// A [Directory] is built from the configured resources and the networks of
// trusted proxies. It is immutable and safe for concurrent use.
package resource

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// WellKnown is inserted between host and path of a resource identifier to get
// the URL of its metadata document (RFC 9728 §3.1).
const WellKnown = "/.well-known/oauth-protected-resource"

// Config is a resource as it is configured. The fields are documented at
// drawbridge.Resource, which has the same.
type Config struct {
	Identifier           string
	MountPath            string
	Services             []string
	AuthorizationServers []string
	Issuers              []string
	Aliases              []string
	Audiences            []string
	MetadataURL          string
	Name                 string
	DocumentationURL     string
}

// Resource is a valid [Config].
type Resource struct {
	place     string // of its configuration, for faults
	position  int    // in the configuration
	path      string // of the identifier, decoded, without a slash at the end
	mount     string // where its requests arrive, likewise
	site      string // the name of its host
	names     []string
	services  []string // empty if none are configured
	servers   []string
	issuers   []string
	exact     []string      // the issuers that are no patterns
	patterns  []uri.Pattern // the others
	audiences []string
	byHost    map[string]hostAddresses // by every form of the Host field that means one of addresses
	addresses []*Address               // the configured one first

	name, documentationURL string
}

// Address is a resource under one base URL.
type Address struct {
	// Index numbers the addresses of a [Directory] from 0.
	Index int
	// Resource is the resource, which other addresses may share.
	Resource *Resource
	// Base is scheme and host.
	Base string
	// Identifier is the resource identifier under this base URL.
	Identifier string
	// MetadataURL is the URL of the metadata document that has Identifier as its
	// resource.
	MetadataURL string
}

// hostAddresses are the addresses that a host leads to. The first that was
// configured counts where the scheme of the request is unknown or has none.
type hostAddresses struct{ first, http, https *Address }

// parse returns the resource that a configuration describes. It adds a fault for
// each invalid field, in order, and returns false if there is one.
func parse(cfg Config, place string, faults *fault.List) (*Resource, bool) {
	before := faults.Len()
	identifier, reason := uri.ParseIdentifier(cfg.Identifier)
	if reason != "" {
		faults.Add(place+".Identifier", cfg.Identifier, reason, "")
	}
	if len(cfg.AuthorizationServers) == 0 {
		faults.Add(place+".AuthorizationServers", "", "at least one is required (MCP authorization; RFC 9728 §2)", "")
	}
	for i, server := range cfg.AuthorizationServers {
		if _, reason := uri.ParseIdentifier(server); reason != "" {
			faults.Add(fmt.Sprintf("%s.AuthorizationServers[%d]", place, i), server, reason, "")
		}
	}
	if reason := checkMountPath(cfg.MountPath); reason != "" {
		faults.Add(place+".MountPath", cfg.MountPath, reason, "")
	}
	checkFilled(cfg.Services, place+".Services", faults)
	patterns := parseIssuers(cfg.Issuers, place, faults)
	aliases := parseAliases(cfg.Aliases, place, faults)
	checkFilled(cfg.Audiences, place+".Audiences", faults)
	if cfg.MetadataURL != "" {
		if _, reason := uri.ParseIdentifier(cfg.MetadataURL); reason != "" {
			faults.Add(place+".MetadataURL", cfg.MetadataURL, reason, "")
		}
	}
	if cfg.DocumentationURL != "" {
		if u, err := url.Parse(cfg.DocumentationURL); err != nil || u.Host == "" {
			faults.Add(place+".DocumentationURL", cfg.DocumentationURL, "is not a URL", "")
		}
	}
	if faults.Len() > before {
		return nil, false
	}
	r := newResource(cfg, identifier, aliases)
	r.place, r.patterns = place, patterns
	r.exact = slices.DeleteFunc(slices.Clone(r.issuers), uri.IsPattern)
	return r, true
}

// checkMountPath returns the reason why path is not one that requests arrive at.
func checkMountPath(path string) (reason string) {
	switch {
	case path == "":
		return ""
	case path[0] != '/':
		return "does not begin with a slash"
	case uri.HasDotSegment(path) || strings.Contains(path, "//") || strings.Contains(path, `\`):
		return "has empty or dot segments, or a backslash"
	case strings.ContainsAny(path, "?#%"):
		return "is not a decoded path: it has an escape, a query or a fragment"
	default:
		return ""
	}
}

// parseIssuers returns the patterns among issuers. The others may be any text,
// because they are only compared.
func parseIssuers(issuers []string, place string, faults *fault.List) (patterns []uri.Pattern) {
	checkFilled(issuers, place+".Issuers", faults)
	for i, issuer := range issuers {
		if !uri.IsPattern(issuer) {
			continue
		}
		pattern, reason := uri.ParsePattern(issuer)
		if reason != "" {
			faults.Add(fmt.Sprintf("%s.Issuers[%d]", place, i), issuer, reason, "")
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

// checkFilled adds a fault for each value that is empty.
func checkFilled(values []string, place string, faults *fault.List) {
	for i, value := range values {
		if value == "" {
			faults.Add(fmt.Sprintf("%s[%d]", place, i), "", "is empty", "")
		}
	}
}

func parseAliases(aliases []string, place string, faults *fault.List) (parsed []baseURL) {
	for i, alias := range aliases {
		u, reason := uri.ParseIdentifier(alias)
		if reason == "" && strings.Trim(u.EscapedPath(), "/") != "" {
			reason = "has a path; an alias is a scheme and a host"
		}
		if reason != "" {
			faults.Add(fmt.Sprintf("%s.Aliases[%d]", place, i), alias, reason, "")
			continue
		}
		parsed = append(parsed, baseURL{u.Scheme, u.Host})
	}
	return parsed
}

func newResource(cfg Config, identifier *url.URL, aliases []baseURL) *Resource {
	path := strings.TrimSuffix(identifier.Path, "/")
	r := &Resource{
		path:             path,
		mount:            strings.TrimSuffix(cmp.Or(cfg.MountPath, path), "/"),
		site:             siteOf(identifier.Hostname()),
		services:         slices.Clone(cfg.Services),
		servers:          slices.Clone(cfg.AuthorizationServers),
		issuers:          slices.Clone(cfg.Issuers),
		audiences:        slices.Clone(cfg.Audiences),
		byHost:           make(map[string]hostAddresses),
		name:             cfg.Name,
		documentationURL: cfg.DocumentationURL,
	}
	if len(r.issuers) == 0 {
		r.issuers = r.servers
	}
	for _, base := range append([]baseURL{{identifier.Scheme, identifier.Host}}, aliases...) {
		for _, variant := range base.variants() {
			r.add(variant, identifier.EscapedPath())
		}
	}
	if cfg.MetadataURL != "" {
		for _, address := range r.addresses {
			address.MetadataURL = cfg.MetadataURL
		}
	}
	return r
}

// add makes r known under a further base URL.
func (r *Resource) add(base baseURL, path string) {
	address := &Address{
		Resource:   r,
		Base:       base.String(),
		Identifier: base.String() + path,
		// A slash that ends the host is removed, any other is part of the path
		// (RFC 9728 §3.1).
		MetadataURL: base.String() + WellKnown + strings.TrimSuffix(path, "/"),
	}
	if r.path != "" {
		address.MetadataURL = base.String() + WellKnown + path
	}
	r.addresses = append(r.addresses, address)
	audiences := []string{address.Identifier}
	if r.path == "" {
		// An empty path and "/" are the same URL (RFC 3986 §6.2.3), and URL
		// parsers of clients turn the first into the second.
		audiences = append(audiences, base.String(), base.String()+"/")
	}
	for _, audience := range audiences {
		if !slices.Contains(r.audiences, audience) {
			r.audiences = append(r.audiences, audience)
		}
	}
	name, _ := uri.SplitHost(base.host)
	r.names = append(r.names, name)
	for _, key := range base.keys() {
		r.byHost[key] = r.byHost[key].with(base.scheme, address)
	}
}

// Accepts reports whether a token with the given audience is meant for r
// (RFC 8707 §2, RFC 9068 §4).
func (r *Resource) Accepts(audience []string) bool {
	for _, a := range audience {
		if slices.Contains(r.audiences, a) {
			return true
		}
	}
	return false
}

// Trusts reports whether tokens of an issuer open r.
func (r *Resource) Trusts(issuer string) bool {
	if slices.Contains(r.exact, issuer) {
		return true
	}
	return slices.ContainsFunc(r.patterns, func(p uri.Pattern) bool {
		_, ok := p.Tenant(issuer)
		return ok
	})
}

// Issuers returns the issuers that r trusts, and Audiences those values of the
// audience that it accepts. The slices must not be changed.
func (r *Resource) Issuers() []string { return r.issuers }

// Audiences is documented at Issuers.
func (r *Resource) Audiences() []string { return r.audiences }

// AuthorizationServers returns the issuer identifiers that the metadata document
// names. The slice is a copy.
func (r *Resource) AuthorizationServers() []string { return slices.Clone(r.servers) }

// Mount returns the decoded path at which requests for r arrive, without a slash
// at the end.
func (r *Resource) Mount() string { return r.mount }

// Services returns the services that clients reach through r, or none if the
// configuration does not say. The slice must not be changed.
func (r *Resource) Services() []string { return r.services }

// Name is that of the configuration.
func (r *Resource) Name() string { return r.name }

// DocumentationURL is that of the configuration.
func (r *Resource) DocumentationURL() string { return r.documentationURL }

// Position returns the index of r in the configuration, which is not that in
// [Directory.Resources].
func (r *Resource) Position() int { return r.position }

// Place returns the place of the configuration of r, for faults.
func (r *Resource) Place() string { return r.place }

// IssuersField returns the name of the field that Issuers were configured with.
func (r *Resource) IssuersField() string {
	if len(r.issuers) > 0 && &r.issuers[0] == &r.servers[0] {
		return "AuthorizationServers"
	}
	return "Issuers"
}

// Covers reports whether path is the mount path of r or below it, by whole
// segments.
func (r *Resource) Covers(path string) bool {
	rest, ok := strings.CutPrefix(path, r.mount)
	return ok && (rest == "" || rest[0] == '/')
}

// coversFolded is Covers as routers match that ignore the case of letters.
func (r *Resource) coversFolded(path string) bool {
	n := len(r.mount)
	return len(path) >= n && strings.EqualFold(path[:n], r.mount) && (len(path) == n || path[n] == '/')
}

// at returns the addresses that a host leads to, however it is written.
func (r *Resource) at(host string) hostAddresses {
	if found, ok := r.byHost[host]; ok {
		return found
	}
	return r.byHost[uri.CanonicalHost(host)]
}

func (h hostAddresses) with(scheme string, address *Address) hostAddresses {
	h.first = cmp.Or(h.first, address)
	if scheme == "http" {
		h.http = cmp.Or(h.http, address)
	} else {
		h.https = cmp.Or(h.https, address)
	}
	return h
}

// pick returns the address for a scheme; an empty scheme is unknown.
func (h hostAddresses) pick(scheme string) *Address {
	switch {
	case scheme == "https" && h.https != nil:
		return h.https
	case scheme == "http" && h.http != nil:
		return h.http
	default:
		return h.first
	}
}
