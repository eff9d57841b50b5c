package interceptor

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded bounds the fields that are looked into. Honest ones are a
// hundredth of it.
const maxForwarded = 8 << 10

// trusts reports whether the request was relayed by a trusted proxy. An empty
// list means nobody (CVE-2026-35051 is what it means elsewhere).
func (d *directory) trusts(req *Request) bool {
	if len(d.proxies) == 0 || !req.isForwarded() {
		return false
	}
	peer, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(d.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// forwardedHost is what one proxy says of the request it received.
type forwardedHost struct{ host, proto string }

// isForwarded reports whether there are forwarded fields of a sane length.
func (req *Request) isForwarded() bool {
	length := 0
	for _, values := range [...][]string{req.Forwarded, req.ForwardedHost, req.ForwardedProto} {
		for _, value := range values {
			length += len(value)
		}
	}
	return length > 0 && length <= maxForwarded
}

// forwarded returns what the proxies say, in the order of the fields. Forwarded
// (RFC 7239) counts before the X-Forwarded fields.
func (req *Request) forwarded() []forwardedHost {
	if len(req.Forwarded) > 0 {
		found := parseForwarded(req.Forwarded)
		for i := range found {
			found[i].host = cmp.Or(found[i].host, req.Host)
		}
		return found
	}
	protos := splitList(req.ForwardedProto)
	hosts := splitList(req.ForwardedHost)
	if len(hosts) == 0 {
		hosts = []string{req.Host}
	}
	found := make([]forwardedHost, len(hosts))
	for i, host := range hosts {
		found[i].host = host
		// Proxies may keep fewer protos than hosts, or more; the last ones of
		// each belong together.
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
// (RFC 7239 §4). From an element that is malformed on, a field is ignored: what
// follows cannot be told apart from what a client injected.
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
