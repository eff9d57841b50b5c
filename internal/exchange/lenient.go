package exchange

import (
	"path"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// isReadDifferently reports whether lenient routers may read another path than p.
func isReadDifferently(p string) bool {
	return strings.HasSuffix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, "/.") ||
		strings.IndexByte(p, '\\') >= 0 || strings.IndexByte(p, ';') >= 0 || strings.IndexByte(p, '%') >= 0
}

// clean returns a path as lenient routers read it: with slashes for backslashes, and
// without the parameters of segments (RFC 3986 §3.3), empty segments, dot segments,
// and slashes at the end.
func clean(p string) string {
	return path.Clean(uri.DropParameters(strings.ReplaceAll(p, `\`, "/")))
}

// A tail is the end of a path, in which its last two segments are looked for.
type tail struct {
	path  string
	whole bool // it is all of the path
	plain bool // no segment of the path has parameters
}

// tailOf returns the last bytes of a path.
func tailOf(p string) tail {
	end := p[max(0, len(p)-maxTail):]
	return tail{path: end, whole: len(end) == len(p), plain: !strings.ContainsAny(p, ";%")}
}

// last returns the last two segments of a path as clean would return it. It reports
// false if the tail does not show them.
func (t tail) last() (service, method string, ok bool) {
	for rest, dots := t.path, 0; rest != ""; {
		slash := len(rest) - 1
		for slash >= 0 && rest[slash] != '/' && rest[slash] != '\\' {
			slash--
		}
		name, _, _ := strings.Cut(rest[slash+1:], ";")
		switch {
		case slash < 0 && !t.whole:
			// The segment is longer. No name is as long as half of the tail.
			return "", "", dots == 0 && len(name) > maxTail/2 && t.plain
		case name == "" || name == ".":
		case name == "..":
			dots++
		case dots > 0:
			dots--
		case method == "":
			method = name
		default:
			return name, method, true
		}
		rest = rest[:max(slash, 0)]
	}
	return "", "", t.whole
}
