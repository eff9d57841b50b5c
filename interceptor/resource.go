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

	path      string // of the identifier, without a slash at the end
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
		if seen[configured.Identifier] {
			f.add(field+".Identifier", configured.Identifier, "is configured twice")
		}
		seen[configured.Identifier] = true
		if len(*f) > before {
			continue
		}
		d.add(owner, configured, bases)
	}
	slices.SortStableFunc(d.resources, func(a, b *resource) int {
		return cmp.Compare(len(b.path), len(a.path))
	})
	d.usesHost = len(bases) > 1
	return d
}

// add compiles a resource that was found valid.
func (d *directory) add(owner *Authorizer, configured Resource, bases map[baseURL]bool) {
	configured.AuthorizationServers = slices.Clone(configured.AuthorizationServers)
	u, _ := parseIdentifier(configured.Identifier)
	written := u.EscapedPath()
	r := &resource{
		Resource:  configured,
		path:      strings.TrimSuffix(written, "/"),
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
	path, single := req.path(), len(d.resources) == 1
	return d.match(req, func(r *resource) bool { return single || r.covers(path) })
}

// match returns the door of a request among the resources that fit, those with
// longer paths first. A host that is not ours leads to the configured URL.
func (d *directory) match(req *Request, fits func(*resource) bool) *door {
	if d.usesHost {
		for host, scheme := range d.hosts(req) {
			if through := d.byHost(host, scheme, fits); through != nil {
				return through
			}
		}
	}
	for _, r := range d.resources {
		if fits(r) {
			return r.doors[0]
		}
	}
	return nil
}

func (d *directory) byHost(host, scheme string, fits func(*resource) bool) *door {
	for _, r := range d.resources {
		if !fits(r) {
			continue
		}
		if found, ok := r.byHost[host]; ok {
			return found.pick(scheme)
		}
	}
	// Not written as we write it, or not ours.
	if canonical := canonicalHost(host); canonical != "" && canonical != host {
		return d.byHost(canonical, scheme, fits)
	}
	return nil
}
