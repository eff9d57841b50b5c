package connectauth

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// These bound the work that a caller can cause by a path. A path that exceeds
// them is denied, if it might be routed to a known procedure.
const (
	maxCleaned  = 8 << 10 // bytes of a path that routers might clean
	maxSegments = 64      // of a path that ends in a known procedure
	maxOnTheWay = 8       // rules that are asked about a path
)

// denyOnTheWay decides about a path that ends in a known procedure, as it is or
// as routers clean it. It returns the denial of the first rule that refuses the
// request.
func denyOnTheWay(adapter drawbridge.Adapter, r *http.Request, req *drawbridge.Request) *challenge.DenialError {
	for _, procedure := range onTheWay(adapter, r.URL.Path) {
		req.Procedure = procedure
		var caller drawbridge.Caller
		if denial := adapter.Decide(r.Context(), req, &caller); denial != nil {
			return denial
		}
	}
	return nil
}

// onTheWay returns the known procedures in a path that ends in one, the last of
// them first. Of a path that exceeds the bounds it returns the path, which has no
// rule.
func onTheWay(adapter drawbridge.Adapter, literal string) []string {
	found, ok := appendKnown(adapter, nil, literal)
	switch {
	case len(literal) > maxCleaned:
		ok = ok && !mayBeCleaned(literal)
	case ok:
		if cleaned := clean(literal); cleaned != literal {
			found, ok = appendKnown(adapter, found, cleaned)
		}
	}
	if !ok {
		return []string{literal}
	}
	return found
}

// appendKnown adds the known procedures in p, if it ends in one. It reports false
// if p exceeds the bounds.
func appendKnown(adapter drawbridge.Adapter, found []string, p string) (_ []string, ok bool) {
	start := lastPair(p, len(p))
	if start < 0 || !isKnown(adapter, p[start:]) {
		return found, true
	}
	if strings.Count(p, "/") > maxSegments {
		return nil, false
	}
	for end := len(p); start >= 0; start = lastPair(p, end) {
		if procedure := p[start:end]; isKnown(adapter, procedure) && !slices.Contains(found, procedure) {
			found = append(found, procedure)
		}
		end = strings.LastIndexByte(p[:end], '/')
	}
	return found, len(found) <= maxOnTheWay
}

// lastPair returns where the last two segments of p[:end] begin, or -1.
func lastPair(p string, end int) int {
	slash := strings.LastIndexByte(p[:end], '/')
	if slash < 0 {
		return -1
	}
	return strings.LastIndexByte(p[:slash], '/')
}

// mayBeCleaned reports whether a router might change a path.
func mayBeCleaned(p string) bool {
	return strings.HasSuffix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, "/.") || strings.Contains(p, `\`)
}

// clean returns a path as routers read it that are lenient: with slashes for
// backslashes, and without empty segments, dot segments, and slashes at the end.
// It returns nearly every path as it is.
func clean(p string) string {
	if strings.IndexByte(p, '\\') >= 0 {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	if p == "" || p[0] != '/' {
		return p
	}
	return path.Clean(p)
}
