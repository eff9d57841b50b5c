// Package uri validates the URLs, hosts and origins of configurations and
// requests.
package uri

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseIdentifier parses the identifier of a resource or of an issuer: an https
// URL, or http on loopback, without query and fragment (RFC 9728 §1.2, RFC 8414
// §2). It accepts only what [url.URL.String] writes back unchanged, because
// identifiers are compared as strings. The reason says what is wrong, and is
// empty for a valid identifier.
func ParseIdentifier(s string) (u *url.URL, reason string) {
	if s == "" {
		return nil, "is required"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		return nil, "holds a character that is not allowed in a URL"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "is not an absolute URL such as https://api.example.com"
	case u.Hostname() == "" || u.User != nil:
		return nil, "has no host, or more than a host and a port before its path"
	case CanonicalHost(u.Host) == "":
		return nil, "has a malformed host"
	case !IsProtected(u):
		return nil, "is http; only https protects a token (http is allowed on loopback)"
	case u.RawQuery != "" || u.ForceQuery:
		return nil, "has a query"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, "has a fragment"
	case strings.Contains(strings.ToLower(s), "%2f") || strings.Contains(u.Path, `\`):
		return nil, "has an encoded slash or a backslash in its path"
	case HasDotSegment(u.Path) || strings.Contains(u.Path, "//"):
		return nil, "has a path with empty or dot segments"
	case u.Scheme+"://"+u.Host+u.EscapedPath() != s:
		return nil, "is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed"
	}
	return u, ""
}

// CheckOrigin returns the reason why origin is not an origin as browsers send it
// (RFC 6454 §6.2). The reason is empty for a valid origin.
func CheckOrigin(origin string) (reason string) {
	u, err := url.Parse(origin)
	switch {
	case strings.Contains(origin, "*"):
		return "has a wildcard"
	case strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' }):
		return "has a character that browsers do not send in an origin; hosts are in punycode"
	case err != nil || u.Host == "" || u.Scheme == "":
		return "is not an origin such as https://app.example.com"
	case strings.HasSuffix(origin, ":") || !IsPort(u.Port()):
		return "has a malformed port"
	case CanonicalHost(u.Host) == "":
		return "has a malformed host"
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return "has more than a scheme, a host and a port"
	case u.Port() != "" && u.Port() == DefaultPort(u.Scheme):
		return "names the default port, which browsers leave out"
	default:
		return ""
	}
}

// IsProtected reports whether a request to u is protected on its way: the scheme
// is https, or http to this machine.
func IsProtected(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && IsLoopback(u.Hostname())
}

// IsLoopback reports whether a host is this machine. The host has no port; the
// brackets of IPv6 are optional.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// DefaultPort returns the port that a URL of the scheme leaves out, or "".
func DefaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "http":
		return "80"
	default:
		return ""
	}
}

// IsPort reports whether a port is empty or written as in a normalized URL: a
// decimal number of 16 bits without leading zeros.
func IsPort(port string) bool {
	if port == "" || port == "0" {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil && port[0] != '0'
}

// SplitHost splits the host of a URL or of a Host field into a name and a port.
// The name is in lower case, and an IPv6 address in brackets; the port may be
// empty. The name is empty if hostport is not host [":" port] (RFC 9110 §7.2).
func SplitHost(hostport string) (name, port string) {
	name = hostport
	if rest, ok := strings.CutPrefix(hostport, "["); ok {
		literal, after, closed := strings.Cut(rest, "]")
		addr, err := netip.ParseAddr(literal)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", ""
		}
		name = "[" + addr.String() + "]"
		if after != "" && after[0] != ':' {
			return "", ""
		}
		port = strings.TrimPrefix(after, ":")
	} else if before, after, found := strings.Cut(hostport, ":"); found {
		name, port = before, after
	}
	if strings.HasSuffix(hostport, ":") || !IsPort(port) {
		return "", ""
	}
	if name == "" || name[0] != '[' && !isHostName(name) {
		return "", ""
	}
	return strings.ToLower(name), port
}

// CanonicalHost returns hostport in the form in which hosts are compared, and ""
// if it is malformed.
func CanonicalHost(hostport string) string {
	name, port := SplitHost(hostport)
	if name == "" || port == "" {
		return name
	}
	return name + ":" + port
}

func isHostName(s string) bool {
	if s[0] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
