package interceptor

import (
	"net/url"
	"slices"
	"strings"
)

// readings returns the other paths that a router may take a request's path for:
// as it was sent, with empty segments merged, with backslashes for slashes, and
// with encoded slashes as parts of a segment. For nearly every request there are
// none.
func (req *Request) readings() []string {
	var others []string
	if strings.Contains(req.Path, "//") {
		others = append(others, mergeSlashes(req.Path))
	}
	if strings.Contains(req.Path, `\`) {
		others = append(others, mergeSlashes(strings.ReplaceAll(req.Path, `\`, "/")))
	}
	if req.RawPath != "" {
		others = append(others, req.RawPath, mergeSlashes(req.RawPath))
	}
	if strings.Contains(req.RawPath, "%2F") || strings.Contains(req.RawPath, "%2f") {
		if path, err := url.PathUnescape(keepSlashes.Replace(req.RawPath)); err == nil {
			others = append(others, path)
		}
	}
	return others
}

// isPlain reports whether there is but one way to read the path of a request, as
// for nearly every one: nothing is encoded, and no segment is empty or begins
// with a dot.
func (req *Request) isPlain() bool {
	if req.RawPath != "" {
		return false
	}
	for i := range len(req.Path) {
		switch c := req.Path[i]; {
		case c == '\\':
			return false
		case c == '/' && i+1 < len(req.Path) && (req.Path[i+1] == '/' || req.Path[i+1] == '.'):
			return false
		}
	}
	return true
}

// keepSlashes makes encoded slashes survive the decoding.
var keepSlashes = strings.NewReplacer("%2F", "%252F", "%2f", "%252f")

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
