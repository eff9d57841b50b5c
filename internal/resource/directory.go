package resource

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// Directory finds the address of a request. It is immutable.
type Directory struct {
	resources []*Resource // those with longer mount paths first
	addresses []*Address
	// usesHost is false when there is one base URL, so that the host of a
	// request makes no difference.
	usesHost bool
	// isOneSite reports that all identifiers have one host.
	isOneSite bool
	origins   map[string]bool // of the base URLs
	proxies   Proxies
}

// Proxies are the reverse proxies that are trusted to name the host that a client
// dialed.
type Proxies struct {
	// Networks are those of the proxies. Empty trusts none.
	Networks []netip.Prefix
	// Field is the header field that they set: "X-Forwarded-Host", which empty
	// means, or "Forwarded".
	Field string
}

// NewDirectory returns the directory of the configured resources, and adds a
// fault for everything that is wrong with them. It is of no use if there is one.
func NewDirectory(configured []Config, proxies Proxies, faults *fault.List) *Directory {
	d := &Directory{proxies: proxies, origins: make(map[string]bool)}
	d.proxies.Networks = slices.Clone(proxies.Networks)
	if len(configured) == 0 {
		faults.Add("Resources", "", "at least one is required", "")
	}
	bases := make(map[string]bool)
	taken := make(places)
	for i, cfg := range configured {
		place := fmt.Sprintf("Resources[%d]", i)
		r, ok := parse(cfg, place, faults)
		if !ok {
			continue
		}
		r.position = i
		taken.take(r, place, cfg, faults)
		for _, address := range r.addresses {
			bases[address.Base] = true
			address.Index = len(d.addresses)
			d.addresses = append(d.addresses, address)
		}
		d.resources = append(d.resources, r)
	}
	proxies.check(faults)
	for base := range bases {
		scheme, host, _ := strings.Cut(base, "://")
		d.origins[baseURL{scheme, host}.origin()] = true
	}
	slices.SortStableFunc(d.resources, func(a, b *Resource) int {
		return cmp.Compare(len(b.mount), len(a.mount))
	})
	d.usesHost = len(bases) > 1
	d.isOneSite = !slices.ContainsFunc(d.resources, func(r *Resource) bool { return r.site != d.resources[0].site })
	return d
}

func (p *Proxies) check(faults *fault.List) {
	if p.Field != "" && p.Field != fieldForwarded && p.Field != fieldXForwardedHost {
		faults.Add("ForwardedField", p.Field, "is neither "+fieldXForwardedHost+" nor "+fieldForwarded, "")
	}
	for i, prefix := range p.Networks {
		place := fmt.Sprintf("TrustedProxies[%d]", i)
		if !prefix.IsValid() {
			faults.Add(place, "", "is the zero prefix, and means no network", "")
		} else if prefix.Addr().Is4In6() {
			faults.Add(place, prefix.String(), "is an IPv4 network written as IPv6; peers are compared as IPv4", "")
		}
	}
}

// places holds the hosts and paths at which requests arrive, and to whose
// resource they belong.
type places map[string]*Resource

// take adds a fault if requests for r arrive where those for another resource do.
func (p places) take(r *Resource, place string, cfg Config, faults *fault.List) {
	var other *Resource
	for _, host := range slices.Sorted(maps.Keys(r.byHost)) {
		other = cmp.Or(other, p[host+r.mount])
		p[host+r.mount] = r
	}
	switch {
	case other == nil:
	case other.path == r.path:
		faults.Add(place+".Identifier", cfg.Identifier, "shares host and path with another resource", "")
	default:
		faults.Add(place+".MountPath", cmp.Or(r.mount, "/"), "is where the requests for another resource with this host arrive, too",
			"give the resources different hosts or mount paths")
	}
}

// Resources returns every resource. The slice must not be changed.
func (d *Directory) Resources() []*Resource { return d.resources }

// Addresses returns every address, ordered by Index. The first is that of the
// resource that was configured first. The slice must not be changed.
func (d *Directory) Addresses() []*Address { return d.addresses }

// OwnsOrigin reports whether origin, as a browser writes it into the Origin field
// (RFC 6454 §6.2), is that of one of the base URLs.
func (d *Directory) OwnsOrigin(origin string) bool { return d.origins[strings.ToLower(origin)] }

// OwnsHost reports whether host is that of one of the base URLs, whatever its
// port.
func (d *Directory) OwnsHost(host string) bool {
	name, _ := uri.SplitHost(host)
	return d.ownsName(name)
}

// ownsName reports whether a host without a port is that of a resource.
func (d *Directory) ownsName(name string) bool {
	return slices.ContainsFunc(d.resources, func(r *Resource) bool { return slices.Contains(r.names, name) })
}

// Locate returns the address of a request, or nil if no resource covers its
// path. A single resource owns every path.
func (d *Directory) Locate(ctx context.Context, req *Request) *Address {
	if len(d.addresses) == 1 {
		return d.addresses[0]
	}
	host := ""
	if d.usesHost {
		host = req.host(ctx)
	}
	r := d.resourceAt(host, req.Path)
	if r == nil {
		return nil
	}
	return d.addressOf(ctx, r, host, req)
}

// LocateDocument returns the address of the resource whose metadata document the
// path of a request names, or nil: with [WellKnown] inserted before the path of
// its identifier (RFC 9728 §3.1), or appended to its mount path, which is an
// older form. No decision may depend on it.
func (d *Directory) LocateDocument(ctx context.Context, req *Request) *Address {
	names := func(*Resource) bool { return false }
	inserted, isInserted := strings.CutPrefix(req.Path, WellKnown)
	appended, isAppended := strings.CutSuffix(req.Path, WellKnown)
	switch {
	case isInserted && (inserted == "" || inserted[0] == '/'):
		path := strings.TrimSuffix(inserted, "/")
		names = func(r *Resource) bool { return r.path == path || isAppended && appended == r.mount }
	case isAppended:
		path := strings.TrimSuffix(appended, "/")
		names = func(r *Resource) bool { return r.mount == path }
	}
	host := req.host(ctx)
	r := d.pick(host, names)
	if i := slices.IndexFunc(d.resources, names); r == nil && i >= 0 {
		r = d.resources[i]
	}
	if r == nil {
		return nil
	}
	return d.addressOf(ctx, r, host, req)
}

// resourceAt returns the resource of a path: the one with the longest path that
// covers it, of those with the host of the request. The forwarded fields are
// ignored, because a router ignores them too.
func (d *Directory) resourceAt(host, path string) *Resource {
	if len(d.resources) == 1 {
		return d.resources[0]
	}
	return d.pick(host, func(r *Resource) bool { return r.Covers(path) })
}

// pick returns the resource for a host among those that fit. Routers ignore the
// port of a host, so a name with another port counts where none with this port
// does. A host that no resource has matches only if all resources share a site:
// guessed wrong, a token for one site would open another. A host that another
// resource has matches none.
func (d *Directory) pick(host string, fits func(*Resource) bool) *Resource {
	var first *Resource
	for _, r := range d.resources {
		switch {
		case !fits(r):
		case !d.usesHost || r.at(host) != (hostAddresses{}):
			return r
		case first == nil:
			first = r
		}
	}
	if first == nil {
		return nil
	}
	name, _ := uri.SplitHost(host)
	for _, r := range d.resources {
		if fits(r) && slices.Contains(r.names, name) {
			return r
		}
	}
	if !d.isOneSite || d.ownsName(name) {
		return nil
	}
	return first
}

// addressOf returns the address of r that the request came in under. A host that
// is not one of r's leads to the configured one.
func (d *Directory) addressOf(ctx context.Context, r *Resource, host string, req *Request) *Address {
	if len(r.addresses) == 1 {
		return r.addresses[0]
	}
	if address := d.forwardedAddress(ctx, r, host, req); address != nil {
		return address
	}
	found := r.at(host)
	if found.http != nil && found.https != nil {
		return found.pick(req.scheme(ctx))
	}
	return cmp.Or(found.first, r.addresses[0])
}
