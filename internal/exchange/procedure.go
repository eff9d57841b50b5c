package exchange

import (
	"context"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/internal/rpc"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// These bound the work that a caller can cause by a path. A path that exceeds
// them is denied, if it might be routed to a known procedure.
const (
	maxTail     = 1 << 10 // bytes at the end of a path in which its last two segments are looked for
	maxSegments = 64      // of a path that ends in a known procedure
	maxOnTheWay = 8       // rules that are asked about a path
)

// ProcedureOf returns the procedure that the path of a request names: the path
// itself, or what follows the path of the resource. It reports whether the policy
// or a descriptor knows the service of the procedure.
func ProcedureOf(ctx context.Context, adapter drawbridge.Adapter, req *drawbridge.Request) (procedure string, known bool) {
	if isKnown(adapter, req.Path) {
		return req.Path, true
	}
	mount := adapter.Mount(ctx, req)
	if rest, ok := strings.CutPrefix(req.Path, mount); ok && mount != "" && (rest == "" || rest[0] == '/') {
		return rest, isKnown(adapter, rest)
	}
	return req.Path, false
}

// isKnown reports whether a path is exactly that of a procedure of a known
// service.
func isKnown(adapter drawbridge.Adapter, path string) bool {
	service, _, ok := rpc.CutProcedure(path)
	return ok && adapter.KnowsService(service)
}

// HasOneSegment reports whether no reading of a path has the two segments of a
// procedure. It is fast.
func HasOneSegment(p string) bool {
	return p == "" || strings.IndexByte(p[1:], '/') < 0 && strings.IndexByte(p[1:], '\\') < 0 && strings.IndexByte(p, '%') < 0
}

// OnTheWay returns the known procedures in a path that ends in one, as it is or as
// a lenient router reads it, the last of them first: a router that strips prefixes
// may route the request to any of them. It returns none if the path ends in none.
// Of a path that exceeds the bounds it returns the path, which has no rule.
func OnTheWay(adapter drawbridge.Adapter, literal string) []string {
	start := lastPair(literal, len(literal))
	ends := start >= 0 && isKnown(adapter, literal[start:])
	lenient := isReadDifferently(literal)
	if !ends && lenient {
		var ok bool
		if ends, ok = endsLeniently(adapter, literal); !ok {
			return []string{literal}
		}
	}
	if !ends {
		return nil
	}
	if strings.Count(literal, "/")+strings.Count(literal, `\`)+strings.Count(literal, "%") > maxSegments {
		return []string{literal}
	}
	found := appendKnown(adapter, nil, literal)
	if lenient {
		found = appendKnown(adapter, found, clean(literal))
		found = appendKnown(adapter, found, clean(uri.Decode(literal)))
	}
	if len(found) > maxOnTheWay {
		return []string{literal}
	}
	return found
}

// endsLeniently reports whether a path ends in a known procedure for a lenient
// router, or not ok if that takes too long to find out.
func endsLeniently(adapter drawbridge.Adapter, literal string) (ends, ok bool) {
	end := tailOf(literal)
	for range 2 { // as it is, and decoded once more
		service, method, ok := end.last()
		if !ok {
			return false, false
		}
		if rpc.ValidMethod(method) && adapter.KnowsService(service) {
			return true, true
		}
		decoded := uri.Decode(end.path)
		if decoded == end.path {
			return false, true
		}
		end.path = decoded
	}
	return false, true
}

// appendKnown adds the known procedures in p, if it ends in one.
func appendKnown(adapter drawbridge.Adapter, found []string, p string) []string {
	start := lastPair(p, len(p))
	if start < 0 || !isKnown(adapter, p[start:]) {
		return found
	}
	for end := len(p); start >= 0; start = lastPair(p, end) {
		if procedure := p[start:end]; isKnown(adapter, procedure) && !slices.Contains(found, procedure) {
			found = append(found, procedure)
		}
		end = strings.LastIndexByte(p[:end], '/')
	}
	return found
}

// lastPair returns where the last two segments of p[:end] begin, or -1 if they are
// too long for a procedure.
func lastPair(p string, end int) int {
	first := max(0, end-maxTail)
	slash := strings.LastIndexByte(p[first:end], '/')
	if slash < 0 {
		return -1
	}
	if slash = strings.LastIndexByte(p[first:first+slash], '/'); slash < 0 {
		return -1
	}
	return first + slash
}
