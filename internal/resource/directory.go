package resource

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// Directory finds the address of a request. It is immutable.
type Directory struct {
	resources []*Resource // those with longer paths first
	addresses []*Address
	// usesHost is false when there is one base URL, so that the host of a
	// request makes no difference.
	usesHost bool
	origins  map[string]bool // of the base URLs
	proxies  []netip.Prefix
}

// NewDirectory returns the directory of the configured resources, and adds a
// fault for everything that is wrong with them. It is of no use if there is one.
func NewDirectory(configured []Config, proxies []netip.Prefix, faults *fault.List) *Directory {
	d := &Directory{proxies: slices.Clone(proxies), origins: make(map[string]bool)}
	if len(configured) == 0 {
		faults.Add("Resources", "", "at least one is required", "")
	}
	bases := make(map[string]bool)
	taken := make(map[string]bool)
	for i, cfg := range configured {
		place := fmt.Sprintf("Resources[%d]", i)
		r, ok := parse(cfg, place, faults)
		if !ok {
			continue
		}
		if r.overlaps(taken) {
			faults.Add(place+".Identifier", cfg.Identifier, "shares host and path with another resource", "")
		}
		for _, address := range r.addresses {
			bases[address.Base] = true
			address.Index = len(d.addresses)
			d.addresses = append(d.addresses, address)
		}
		d.resources = append(d.resources, r)
	}
	checkProxies(proxies, faults)
	for base := range bases {
		scheme, host, _ := strings.Cut(base, "://")
		d.origins[baseURL{scheme, host}.origin()] = true
	}
	slices.SortStableFunc(d.resources, func(a, b *Resource) int {
		return cmp.Compare(len(b.path), len(a.path))
	})
	d.usesHost = len(bases) > 1
	return d
}

func checkProxies(proxies []netip.Prefix, faults *fault.List) {
	for i, prefix := range proxies {
		place := fmt.Sprintf("TrustedProxies[%d]", i)
		if !prefix.IsValid() {
			faults.Add(place, "", "is the zero prefix, and means no network", "")
		} else if prefix.Addr().Is4In6() {
			faults.Add(place, prefix.String(), "is an IPv4 network written as IPv6; peers are compared as IPv4", "")
		}
	}
}

// overlaps reports whether r has a host and path that is taken, and takes its
// own.
func (r *Resource) overlaps(taken map[string]bool) bool {
	overlap := false
	for host := range r.byHost {
		overlap = overlap || taken[host+r.path]
		taken[host+r.path] = true
	}
	return overlap
}

// Addresses returns every address, ordered by Index. The first is that of the
// resource that was configured first. The slice must not be changed.
func (d *Directory) Addresses() []*Address { return d.addresses }

// OwnsOrigin reports whether origin, as a browser writes it into the Origin field
// (RFC 6454 §6.2), is that of one of the base URLs.
func (d *Directory) OwnsOrigin(origin string) bool { return d.origins[strings.ToLower(origin)] }

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

// LocateExact returns the address of the resource whose identifier has exactly
// the path of the request, or nil. It is for metadata documents: no decision
// may depend on it.
func (d *Directory) LocateExact(ctx context.Context, req *Request) *Address {
	path := strings.TrimSuffix(req.Path, "/")
	exact := func(r *Resource) bool { return r.path == path }
	host := req.host(ctx)
	r := d.pick(host, exact)
	if i := slices.IndexFunc(d.resources, exact); r == nil && i >= 0 {
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
	return d.pick(host, func(r *Resource) bool { return r.covers(path) })
}

// pick returns the resource for a host among those that fit. Routers ignore the
// port of a host, so a name with another port counts where none with this port
// does. An unknown host matches only if all candidates share a site: guessed
// wrong, a token for one site would open another.
func (d *Directory) pick(host string, fits func(*Resource) bool) *Resource {
	var first *Resource
	sites := false
	for _, r := range d.resources {
		switch {
		case !fits(r):
		case !d.usesHost || r.at(host) != (hostAddresses{}):
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
	name, _ := uri.SplitHost(host)
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
