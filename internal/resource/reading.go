package resource

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// maxPath bounds the paths that are read in more than one way. Servers and
// proxies refuse longer ones.
const maxPath = 8 << 10

// IsAmbiguous reports whether a router further in may read the path in another
// way that makes a difference: the path holds a "." or ".." segment, or another
// reading belongs to another resource. The readings are those of common routers
// and servers: they decode twice, merge empty segments, take a backslash for a
// slash and an encoded slash for a part of a segment, drop the parameters of a
// segment (";x", RFC 3986 §3.3), and ignore the case of letters.
func (d *Directory) IsAmbiguous(ctx context.Context, req *Request) bool {
	isPlain := req.isPlain()
	if isPlain && len(d.resources) == 1 {
		return false
	}
	if isPlain {
		host := d.hostOf(ctx, req)
		return d.isFolded(host, req.Path, d.resourceAt(host, req.Path))
	}
	if len(req.Path) > maxPath || len(req.RawPath) > maxPath {
		return true
	}
	readings := req.readings()
	if slices.ContainsFunc(readings, uri.HasDotSegment) {
		return true
	}
	if len(d.resources) == 1 {
		return false
	}
	host := d.hostOf(ctx, req)
	literal := d.resourceAt(host, req.Path)
	for _, path := range readings {
		if d.resourceAt(host, path) != literal || d.isFolded(host, path, literal) {
			return true
		}
	}
	return false
}

// hostOf returns the Host of the request, if it makes a difference.
func (d *Directory) hostOf(ctx context.Context, req *Request) string {
	if !d.usesHost {
		return ""
	}
	return req.host(ctx)
}

// isFolded reports whether a router that ignores the case of letters finds a
// resource for a path that covers more of it than found.
func (d *Directory) isFolded(host, path string, found *Resource) bool {
	for _, r := range d.resources {
		if found != nil && len(r.mount) <= len(found.mount) {
			return false
		}
		if r.coversFolded(path) && !r.Covers(path) {
			folded := d.pick(host, func(r *Resource) bool { return r.coversFolded(path) })
			return folded != nil && folded != found
		}
	}
	return false
}

// isPlain reports whether there is only one way to read the path, but for the
// case of its letters, as in nearly every request: nothing is encoded, there are
// no parameters, and no segment is empty or begins with a dot.
func (req *Request) isPlain() bool {
	if req.RawPath != "" {
		return false
	}
	for i := range len(req.Path) {
		switch c := req.Path[i]; {
		case c == '\\', c == ';', c == '%':
			return false
		case c == '/' && i+1 < len(req.Path) && (req.Path[i+1] == '/' || req.Path[i+1] == '.'):
			return false
		}
	}
	return true
}

// readings returns the paths that a router may read, the literal one first.
func (req *Request) readings() []string {
	decoded := []string{req.Path}
	if req.RawPath != "" {
		decoded = append(decoded, req.RawPath)
		if path, err := url.PathUnescape(keepSlashes.Replace(req.RawPath)); err == nil {
			decoded = append(decoded, path)
		}
	}
	if strings.Contains(req.Path, "%") {
		decoded = append(decoded, uri.Decode(req.Path))
	}
	all := decoded
	for _, path := range decoded {
		lenient := strings.ReplaceAll(path, `\`, "/")
		all = append(all, mergeSlashes(path), mergeSlashes(lenient), mergeSlashes(uri.DropParameters(lenient)))
	}
	return all
}

// keepSlashes makes encoded slashes survive the decoding.
var keepSlashes = strings.NewReplacer("%2F", "%252F", "%2f", "%252f")

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
