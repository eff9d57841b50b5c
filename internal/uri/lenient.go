package uri

import (
	"encoding/hex"
	"strings"
)

// Decode decodes the escapes in a path that is decoded already, as routers read it
// that decode once more. They leave what is no escape as it is.
func Decode(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	decoded := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := [1]byte{path[i]}
		if path[i] == '%' && i+2 < len(path) {
			if _, err := hex.Decode(c[:], []byte(path[i+1:i+3])); err == nil {
				i += 2
			}
		}
		decoded = append(decoded, c[0])
	}
	return string(decoded)
}

// DropParameters removes the parameters of each segment of a path (RFC 3986 §3.3),
// as routers do that do not know them.
func DropParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

// HasDotSegment reports whether a decoded path holds a "." or ".." segment,
// between slashes or backslashes. Routers disagree about such a path.
func HasDotSegment(path string) bool {
	for i := range len(path) {
		if path[i] != '.' || i > 0 && !isSeparator(path[i-1]) {
			continue
		}
		end := i + 1
		if end < len(path) && path[end] == '.' {
			end++
		}
		if end == len(path) || isSeparator(path[end]) {
			return true
		}
	}
	return false
}

func isSeparator(c byte) bool { return c == '/' || c == '\\' }
