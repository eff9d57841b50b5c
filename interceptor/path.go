package interceptor

import (
	"net/url"
	"slices"
	"strings"
)

// readings returns the other paths that a router may take a request's path for:
// with empty segments merged, and with encoded slashes as parts of a segment.
// For nearly every request there are none.
func (req *Request) readings() []string {
	var others []string
	if strings.Contains(req.Path, "//") {
		others = append(others, mergeSlashes(req.Path))
	}
	if raw := strings.ToLower(req.RawPath); strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") {
		kept := strings.NewReplacer("%2f", "%252f", "%5c", "%255c").Replace(raw)
		if path, err := url.PathUnescape(kept); err == nil {
			others = append(others, path)
		}
		merged := mergeSlashes(strings.ReplaceAll(req.Path, `\`, "/"))
		others = append(others, merged)
	}
	return others
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// hasDotSegment reports whether a decoded path holds a "." or ".." segment.
// Routers disagree about what such a path names.
func hasDotSegment(path string) bool {
	if !strings.Contains(path, "/.") && !strings.Contains(path, `\.`) {
		return false
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.Contains(segments, ".") || slices.Contains(segments, "..")
}
