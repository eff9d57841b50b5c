package interceptor

import (
	"net/netip"
	"strconv"
	"strings"
)

// loopbackNames stand for each other when the configured URL is one of them.
var loopbackNames = [...]string{"127.0.0.1", "localhost", "[::1]"}

// isLoopback reports whether a host without port and brackets is this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// siteOf returns the name of a host; the names of this machine are one.
func siteOf(name string) string {
	if isLoopback(name) {
		return "localhost"
	}
	return strings.ToLower(name)
}

// splitHost splits the host of a URL or of a Host field into a name, in lower
// case and IPv6 in brackets, and a port, which may be empty. It returns an empty
// name for anything that is not host [":" port] (RFC 9110 §7.2).
func splitHost(hostport string) (name, port string) {
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
	if strings.HasSuffix(hostport, ":") || !isPort(port) {
		return "", ""
	}
	if name == "" || name[0] != '[' && !isHostName(name) {
		return "", ""
	}
	return strings.ToLower(name), port
}

// canonicalHost returns hostport in the form in which hosts are compared, or
// "" if it is malformed.
func canonicalHost(hostport string) string {
	name, port := splitHost(hostport)
	if name == "" || port == "" {
		return name
	}
	return name + ":" + port
}

func isPort(s string) bool {
	if s == "" {
		return true
	}
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
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

// baseURL is a scheme and a host under which clients dial in.
type baseURL struct {
	scheme string
	host   string // as written, to be echoed
}

func (b baseURL) String() string { return b.scheme + "://" + b.host }

// variants returns b and, if b is on loopback, the same under the other names
// of this machine.
func (b baseURL) variants() []baseURL {
	all := []baseURL{b}
	name, port := splitHost(b.host)
	if !isLoopback(strings.Trim(name, "[]")) {
		return all
	}
	if port != "" {
		port = ":" + port
	}
	for _, other := range loopbackNames {
		if other != name {
			all = append(all, baseURL{b.scheme, other + port})
		}
	}
	return all
}

// keys returns the forms of the Host field that mean b.
func (b baseURL) keys() []string {
	name, port := splitHost(b.host)
	defaultPort := "443"
	if b.scheme == "http" {
		defaultPort = "80"
	}
	if port == "" || port == defaultPort {
		return []string{name, name + ":" + defaultPort}
	}
	return []string{name + ":" + port}
}
