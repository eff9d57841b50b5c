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
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c, isEscape := path[i], path[i] == '%'
		if isEscape {
			if c, ok = unescape(path[i:]); !ok {
				return "", false
			}
			i += len("XX")
		}
		switch {
		case !isEscape && (c <= ' ' || c >= 0x7f):
			return "", false
		case isUnreserved(c), !isEscape && strings.IndexByte("/!$&'()*+,;=:@", c) >= 0: // pchar and "/"
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&0xf]})
		}
	}
	return b.String(), true
}

// unescape decodes the escape that s begins with.
func unescape(s string) (c byte, ok bool) {
	if len(s) < len("%XX") {
		return 0, false
	}
	var decoded [1]byte
	_, err := hex.Decode(decoded[:], []byte(s[1:3]))
	return decoded[0], err == nil
}

// isUnreserved reports whether an escape of c is never needed (RFC 3986 §2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
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
