package interceptor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// wellKnown is inserted between host and path of a resource identifier to get
// the URL of its metadata document (RFC 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// resource is a compiled [Resource].
type resource struct {
	Resource

	path      string // of the identifier, decoded, without a slash at the end
	audiences []string
	byHost    map[string]hostDoors // by every form of the Host field that means one of doors
	doors     []*door              // the configured one first
}

// hostDoors are the doors that a host leads to. The first that was configured
// counts where the scheme of the request is unknown or has no door.
type hostDoors struct{ first, http, https *door }

// door is a resource under one base URL.
type door struct {
	owner       *Authorizer
	resource    *resource
	index       int // among all doors of owner
	identifier  string
	metadataURL string
}

// accepts reports whether a token with the given audience is meant for r
// (RFC 8707 §2, RFC 9068 §4).
func (r *resource) accepts(audience []string) bool {
	for _, a := range audience {
		if slices.Contains(r.audiences, a) {
			return true
		}
	}
	return false
}

// covers reports whether path is that of r or below it, by whole segments.
func (r *resource) covers(path string) bool {
	rest, ok := strings.CutPrefix(path, r.path)
	return ok && (rest == "" || rest[0] == '/')
}

// directory finds the door that a request came through.
type directory struct {
	resources []*resource // those with longer paths first
	doors     []*door
	// usesHost is false when there is one base URL, so that the host of a
	// request makes no difference.
	usesHost bool
	origins  map[string]bool // of the base URLs, as browsers write them
	proxies  []netip.Prefix
}

func newDirectory(owner *Authorizer, cfg Config, f *faults) directory {
	d := directory{proxies: slices.Clone(cfg.TrustedProxies), origins: make(map[string]bool)}
	bases := make(map[baseURL]bool)
	seen := make(map[string]bool)
	for i, configured := range cfg.Resources {
		field := fmt.Sprintf("Resources[%d]", i)
		before := len(*f)
		f.checkResource(field, configured)
		if len(*f) > before {
			continue
		}
		added := d.add(owner, configured, bases)
		for key := range added.byHost {
			if seen[key+added.path] {
				f.add(field+".Identifier", configured.Identifier, "shares host and path with another resource")
				break
			}
		}
		for key := range added.byHost {
			seen[key+added.path] = true
		}
	}
	slices.SortStableFunc(d.resources, func(a, b *resource) int {
		return cmp.Compare(len(b.path), len(a.path))
	})
	d.usesHost = len(bases) > 1
	return d
}

// add compiles a resource that was found valid.
func (d *directory) add(owner *Authorizer, configured Resource, bases map[baseURL]bool) *resource {
	configured.AuthorizationServers = slices.Clone(configured.AuthorizationServers)
	u, _ := parseIdentifier(configured.Identifier)
	written := u.EscapedPath()
	r := &resource{
		Resource:  configured,
		path:      strings.TrimSuffix(u.Path, "/"),
		audiences: slices.Clone(configured.Audiences),
		byHost:    make(map[string]hostDoors),
	}
	all := baseURL{u.Scheme, u.Host}.variants()
	for _, alias := range configured.Aliases {
		a, _ := parseIdentifier(alias)
		all = append(all, baseURL{a.Scheme, a.Host}.variants()...)
	}
	for _, base := range all {
		bases[base] = true
		d.origins[base.scheme+"://"+base.keys()[0]] = true
		through := &door{
			owner:      owner,
			resource:   r,
			index:      len(d.doors),
			identifier: base.String() + written,
			// A slash that ends the host is removed, any other is part of the
			// path (RFC 9728 §3.1).
			metadataURL: base.String() + wellKnown + strings.TrimSuffix(written, "/"),
		}
		if r.path != "" {
			through.metadataURL = base.String() + wellKnown + written
		}
		d.doors = append(d.doors, through)
		r.doors = append(r.doors, through)
		r.audiences = append(r.audiences, through.identifier)
		if r.path == "" {
			// An empty path and "/" are the same URL (RFC 3986 §6.2.3), and
			// URL parsers of clients turn the first into the second.
			r.audiences = append(r.audiences, base.String(), base.String()+"/")
		}
		for _, key := range base.keys() {
			r.byHost[key] = r.byHost[key].with(base.scheme, through)
		}
	}
	d.resources = append(d.resources, r)
	return r
}

func (h hostDoors) with(scheme string, through *door) hostDoors {
	h.first = cmp.Or(h.first, through)
	if scheme == "http" {
		h.http = cmp.Or(h.http, through)
	} else {
		h.https = cmp.Or(h.https, through)
	}
	return h
}

// pick returns the door for a scheme; an empty scheme is unknown.
func (h hostDoors) pick(scheme string) *door {
	switch {
	case scheme == "https" && h.https != nil:
		return h.https
	case scheme == "http" && h.http != nil:
		return h.http
	default:
		return h.first
	}
}

// find returns the door of a request, or nil if no resource covers its path. A
// single resource owns every path.
func (d *directory) find(req *Request) *door {
	r := d.resourceAt(req.Host, req.path())
	if r == nil {
		return nil
	}
	return d.doorOf(r, req)
}

// resourceAt returns the resource of a path: the one with the longest path that
// covers it, and of those with the host of the request first. What proxies say
// of the host is not asked: the router does not ask them either.
func (d *directory) resourceAt(host, path string) *resource {
	if len(d.resources) == 1 {
		return d.resources[0]
	}
	return d.pick(host, func(r *resource) bool { return r.covers(path) })
}

func (d *directory) pick(host string, fits func(*resource) bool) *resource {
	var elsewhere *resource
	for _, r := range d.resources {
		switch {
		case !fits(r):
		case !d.usesHost || r.at(host) != (hostDoors{}):
			return r
		case elsewhere == nil:
			elsewhere = r
		}
	}
	return elsewhere
}

// ambiguous reports whether a router may take the path of a request for one that
// belongs to another resource.
func (d *directory) ambiguous(req *Request) bool {
	if len(d.resources) == 1 {
		return false
	}
	for _, path := range req.readings() {
		if d.resourceAt(req.Host, path) != d.resourceAt(req.Host, req.path()) {
			return true
		}
	}
	return false
}

// doorOf returns the base URL of r that the request came in under. A host that
// is not one of ours leads to the configured one.
func (d *directory) doorOf(r *resource, req *Request) *door {
	if len(r.doors) == 1 {
		return r.doors[0]
	}
	if d.trusts(req) {
		// The last value was added by the proxy next to us; those before it
		// may be the client's own invention.
		for _, f := range slices.Backward(req.forwarded()) {
			if through := r.at(f.host).pick(f.proto); through != nil {
				return through
			}
		}
	}
	scheme := "http"
	if req.TLS != nil {
		scheme = "https"
	}
	if through := r.at(req.Host).pick(scheme); through != nil {
		return through
	}
	return r.doors[0]
}

// at returns the doors that a host leads to, however it is written.
func (r *resource) at(host string) hostDoors {
	if found, ok := r.byHost[host]; ok {
		return found
	}
	return r.byHost[canonicalHost(host)]
}
