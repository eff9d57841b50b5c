package resource

import (
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// loopbackNames stand for each other when the configured URL is one of them.
var loopbackNames = [...]string{"127.0.0.1", "localhost", "[::1]"}

// siteOf returns the site of a host: its name. The names of this machine are one
// site.
func siteOf(name string) string {
	if uri.IsLoopback(name) {
		return "localhost"
	}
	return strings.ToLower(name)
}

// baseURL is a scheme and a host that clients dial.
type baseURL struct {
	scheme string
	host   string // as written, to be echoed
}

func (b baseURL) String() string { return b.scheme + "://" + b.host }

// variants returns b and, if b is on loopback, the same under the other names
// of this machine.
func (b baseURL) variants() []baseURL {
	all := []baseURL{b}
	name, port := uri.SplitHost(b.host)
	if !uri.IsLoopback(name) {
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

// keys returns the values of the Host field that mean b.
func (b baseURL) keys() []string {
	name, port := uri.SplitHost(b.host)
	defaultPort := uri.DefaultPort(b.scheme)
	if port == "" || port == defaultPort {
		return []string{name, name + ":" + defaultPort}
	}
	return []string{name + ":" + port}
}

// origin returns b as browsers send it in the Origin field (RFC 6454 §6.2).
func (b baseURL) origin() string { return b.scheme + "://" + b.keys()[0] }
