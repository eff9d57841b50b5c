package interceptor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

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
		site:      siteOf(u.Hostname()),
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
		name, _ := splitHost(base.host)
		r.names = append(r.names, name)
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
// covers it, of those with the host of the request. What proxies say of the host
// is not asked: the router does not ask them either.
func (d *directory) resourceAt(host, path string) *resource {
	if len(d.resources) == 1 {
		return d.resources[0]
	}
	return d.pick(host, func(r *resource) bool { return r.covers(path) })
}

// pick returns the resource for a host among those that fit. Routers ignore the
// port of a host, so a name with another port counts where none with this port
// does. A host that is nobody's leads to the resource only if there are not
// several sites to choose from: guessed wrong, a token for one would open the
// other.
func (d *directory) pick(host string, fits func(*resource) bool) *resource {
	var first *resource
	sites := false
	for _, r := range d.resources {
		switch {
		case !fits(r):
		case !d.usesHost || r.at(host) != (hostDoors{}):
			return r
		case first == nil:
			first = r
		default:
			sites = sites || r.site != first.site
		}
	}
	if first == nil {
		return nil
	}
	name, _ := splitHost(host)
	for _, r := range d.resources {
		if fits(r) && slices.Contains(r.names, name) {
			return r
		}
	}
	if sites {
		return nil
	}
	return first
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
