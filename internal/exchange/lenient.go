package exchange

import (
	"encoding/hex"
	"path"
	"strings"
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
	p = strings.ReplaceAll(p, `\`, "/")
	if strings.IndexByte(p, ';') >= 0 {
		segments := strings.Split(p, "/")
		for i, segment := range segments {
			segments[i], _, _ = strings.Cut(segment, ";")
		}
		p = strings.Join(segments, "/")
	}
	if p == "" || p[0] != '/' {
		return p
	}
	return path.Clean(p)
}

// decode returns a decoded path as routers read it that decode once more. They
// leave what is no escape as it is.
func decode(p string) string {
	if strings.IndexByte(p, '%') < 0 {
		return p
	}
	decoded := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		c := [1]byte{p[i]}
		if p[i] == '%' && i+2 < len(p) {
			if _, err := hex.Decode(c[:], []byte(p[i+1:i+3])); err == nil {
				i += 2
			} else {
				c[0] = '%'
			}
		}
		decoded = append(decoded, c[0])
	}
	return string(decoded)
}

// lenientTail returns the last two segments of a path as clean would return it after
// decode. It looks at the last bytes of the path alone, and reports false if these
// do not show the segments.
func lenientTail(p string) (service, method string, ok bool) {
	tail := p[max(0, len(p)-maxTail):]
	whole := len(tail) == len(p)
	tail = decode(tail)
	for dots := 0; tail != ""; {
		slash := len(tail) - 1
		for slash >= 0 && tail[slash] != '/' && tail[slash] != '\\' {
			slash--
		}
		name, _, _ := strings.Cut(tail[slash+1:], ";")
		switch {
		case slash < 0 && !whole:
			// The segment is longer. No name is as long as half of the tail, but
			// this may be a parameter.
			return "", "", dots == 0 && len(name) > maxTail/2 && !strings.ContainsAny(p, ";%")
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
		tail = tail[:max(slash, 0)]
	}
	return "", "", whole
}
