package proof

import (
	"encoding/hex"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// normalizeURL returns an http or https URL without query and fragment, in the form
// in which URLs are compared: syntax-based and scheme-based normalization (RFC 3986
// §6.2.2, §6.2.3), as RFC 9449 §4.3 asks for.
//
// It reports false for what is not such a URL: one with user information, with a
// host that is not a name in ASCII or an address, or with a character in its path
// that is not printable ASCII. International hosts are in punycode.
func normalizeURL(s string) (normalized string, ok bool) {
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		s = s[:end]
	}
	scheme, rest, _ := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return "", false
	}
	host, path := rest, "/"
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	name, port := uri.SplitHost(strings.TrimSuffix(host, ":"))
	if name == "" {
		return "", false
	}
	if port != "" && port != uri.DefaultPort(scheme) {
		name += ":" + port
	}
	if path, ok = normalizeEscapes(path); !ok {
		return "", false
	}
	if uri.HasDotSegment(path) {
		path = removeDotSegments(path)
	}
	return scheme + "://" + name + path, true
}

const upperHex = "0123456789ABCDEF"

// normalizeEscapes decodes escapes of unreserved characters, and writes the others
// in capitals (RFC 3986 §6.2.2.1, §6.2.2.2). It escapes printable characters that
// may not stand in a path, because browsers leave some of them as they are. It
// reports false for an incomplete escape, and for other characters.
func normalizeEscapes(path string) (normalized string, ok bool) {
	if !strings.ContainsFunc(path, isSpecialInPath) {
		return path, true
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c := [1]byte{path[i]}
		if c[0] == '%' {
			if i+2 >= len(path) {
				return "", false
			}
			if _, err := hex.Decode(c[:], []byte(path[i+1:i+3])); err != nil {
				return "", false
			}
			i += 2
			if isUnreserved(c[0]) {
				b.WriteByte(c[0])
				continue
			}
		} else if c[0] <= ' ' || c[0] >= 0x7f {
			return "", false
		} else if !isSpecialInPath(rune(c[0])) {
			b.WriteByte(c[0])
			continue
		}
		b.Write([]byte{'%', upperHex[c[0]>>4], upperHex[c[0]&0xf]})
	}
	return b.String(), true
}

// isUnreserved reports whether an escape of c is never needed (RFC 3986 §2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// isSpecialInPath reports whether r is neither a slash nor a pchar that stands for
// itself (RFC 3986 §3.3).
func isSpecialInPath(r rune) bool {
	return r >= 0x7f || !isUnreserved(byte(r)) && !strings.ContainsRune("/!$&'()*+,;=:@", r)
}

// removeDotSegments resolves the dot segments of an absolute path (RFC 3986
// §5.2.4).
func removeDotSegments(path string) string {
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		isLast := i == len(segments)-1
		switch segment {
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		case ".":
		default:
			kept = append(kept, segment)
			continue
		}
		if isLast {
			kept = append(kept, "") // "/a/." is "/a/"
		}
	}
	return "/" + strings.Join(kept, "/")
}
