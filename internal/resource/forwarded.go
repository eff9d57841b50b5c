package resource

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
)

// The fields that name the host which a client dialed. A proxy sets one of them;
// a client may have sent the other.
const (
	fieldForwarded      = "Forwarded" // RFC 7239
	fieldXForwardedHost = "X-Forwarded-Host"
)

// maxForwarded bounds the fields that are parsed. Real ones are a hundredth of it.
const maxForwarded = 8 << 10

// forwardedAddress returns the address of r that a trusted proxy names, or nil.
func (d *Directory) forwardedAddress(ctx context.Context, r *Resource, host string, req *Request) *Address {
	if len(d.proxies.Networks) == 0 || req.Transport == nil {
		return nil
	}
	fields := d.proxies.read(ctx, req.Transport)
	if !fields.isUsable() || !d.trusts(ctx, req) {
		return nil
	}
	// The proxy next to this server added the last value; the client may have sent
	// the ones before it.
	for _, f := range slices.Backward(fields.elements(host)) {
		if address := r.at(f.host).pick(f.proto); address != nil {
			return address
		}
	}
	return nil
}

// trusts reports whether the request was relayed by a trusted proxy. An empty
// list trusts none; a list that trusts all when empty was CVE-2026-35051.
func (d *Directory) trusts(ctx context.Context, req *Request) bool {
	remoteAddr := req.RemoteAddr
	if remoteAddr == "" {
		remoteAddr, _ = req.Transport.Connection(ctx)
	}
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(d.proxies.Networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// forwardedFields holds every value of the field Forwarded (RFC 7239), or of
// X-Forwarded-Host and X-Forwarded-Proto.
type forwardedFields struct{ forwarded, hosts, protos []string }

// read returns the fields that the proxies set.
func (p *Proxies) read(ctx context.Context, transport Transport) forwardedFields {
	if p.Field == fieldForwarded {
		return forwardedFields{forwarded: transport.Values(ctx, fieldForwarded)}
	}
	return forwardedFields{
		hosts:  transport.Values(ctx, fieldXForwardedHost),
		protos: transport.Values(ctx, "X-Forwarded-Proto"),
	}
}

// isUsable reports whether there are fields, and they are short enough.
func (f *forwardedFields) isUsable() bool {
	length := 0
	for _, values := range [...][]string{f.forwarded, f.hosts, f.protos} {
		for _, value := range values {
			length += len(value)
		}
	}
	return length > 0 && length <= maxForwarded
}

// forwardedHost holds the host and the scheme of the request that one proxy
// received.
type forwardedHost struct{ host, proto string }

// elements returns an element for each proxy, in the order of the fields. The
// host is that of the request, and stands in where a proxy names none.
func (f *forwardedFields) elements(host string) []forwardedHost {
	if len(f.forwarded) > 0 {
		found := parseForwarded(f.forwarded)
		for i := range found {
			found[i].host = cmp.Or(found[i].host, host)
		}
		return found
	}
	protos := splitList(f.protos)
	hosts := splitList(f.hosts)
	if len(hosts) == 0 {
		hosts = []string{host}
	}
	found := make([]forwardedHost, len(hosts))
	for i, host := range hosts {
		found[i].host = host
		// There may be fewer protos than hosts, or more; the last ones of each
		// belong together.
		if len(protos) > 0 {
			found[i].proto = strings.ToLower(protos[max(0, len(protos)-len(hosts)+i)])
		}
	}
	return found
}

func splitList(values []string) []string {
	var all []string
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			if element = strings.Trim(element, " \t"); element != "" {
				all = append(all, element)
			}
		}
	}
	return all
}

// parseForwarded reads host and proto of each element of Forwarded fields
// (RFC 7239 §4). It ignores a field from a malformed element on, because a client
// may have injected the rest.
func parseForwarded(values []string) []forwardedHost {
	var all []forwardedHost
	for _, value := range values {
		for value != "" {
			element, rest, ok := parseForwardedElement(value)
			if !ok {
				break
			}
			if element != (forwardedHost{}) {
				all = append(all, element)
			}
			value = rest
		}
	}
	return all
}

// parseForwardedElement reads up to the next comma that is not quoted.
func parseForwardedElement(s string) (element forwardedHost, rest string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == ',' {
			return element, strings.TrimPrefix(s, ","), true
		}
		name, after, found := strings.Cut(s, "=")
		if !found {
			return element, "", false
		}
		value, tail, ok := parseForwardedValue(after)
		if !ok {
			return element, "", false
		}
		switch strings.ToLower(name) {
		case "host":
			element.host = value
		case "proto":
			element.proto = strings.ToLower(value)
		}
		s = strings.TrimLeft(tail, " \t")
		switch {
		case s == "":
			return element, "", true
		case s[0] == ';':
			s = s[1:]
		case s[0] == ',':
			return element, s[1:], true
		default:
			return element, "", false
		}
	}
}

// parseForwardedValue reads a token or a quoted-string (RFC 7239 §4). A host
// never needs a quoted-pair, so one makes the value malformed.
func parseForwardedValue(s string) (value, rest string, ok bool) {
	if quoted, isQuoted := strings.CutPrefix(s, `"`); isQuoted {
		value, rest, ok = strings.Cut(quoted, `"`)
		return value, rest, ok && !strings.Contains(value, `\`)
	}
	end := strings.IndexAny(s, ";, \t\"")
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:], true
}
