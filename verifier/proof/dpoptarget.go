package proof

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// A Rewrite states how a gateway in front of the server changes requests. The proof
// is about the request that the client sent to the gateway (RFC 9449 §4.2), and the
// server sees another one:
//
//	// The gateway translates REST to RPC.
//	proof.Rewrite{
//		PublicMethod: "GET", PublicURL: "https://api.example.com/v1/items",
//		Method: "POST", URL: "https://api.example.com/shop.v1.ShopService/ListItems",
//	}
//	// The gateway takes the prefix /shop off every path.
//	proof.Rewrite{PublicURL: "https://api.example.com/shop/", URL: "https://api.example.com/"}
//
// A proof is accepted for the public form of a request only, so that one that was
// stolen is of no use at the server itself. Where several of them apply to a
// request, such as two public URLs of one RPC, a proof may be for any of them. If
// clients also reach the server without the gateway, that has to be one of them: a
// Rewrite whose public form is equal to the other. A request to which none applies
// is expected as it arrives.
type Rewrite struct {
	// PublicMethod is the method that the client sends, and Method the one that
	// arrives. Both are empty if every method passes unchanged.
	PublicMethod, Method string
	// PublicURL is the URL that the client sends, and URL the one that arrives, see
	// [token.Request]. They are https, or http on loopback, without a query. If both
	// end with a slash, they stand for all URLs that begin with them, and what
	// follows passes unchanged.
	PublicURL, URL string
}

// validate reports all faults of the rewrite at a place.
func (r Rewrite) validate(faults *fault.List, place string) {
	for _, field := range [...]struct{ name, url string }{{"PublicURL", r.PublicURL}, {"URL", r.URL}} {
		if _, reason := uri.ParseIdentifier(field.url); reason != "" {
			faults.Add(place+field.name, field.url, reason, "")
		}
	}
	if isPrefix(r.URL) != isPrefix(r.PublicURL) {
		faults.Add(place+"URL", r.URL, "stands for one request and PublicURL for many, or the reverse", "let both end with a slash, or neither")
	}
	for _, field := range [...]struct{ name, method string }{{"PublicMethod", r.PublicMethod}, {"Method", r.Method}} {
		if strings.ContainsFunc(field.method, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '-' }) {
			faults.Add(place+field.name, field.method, "is not a method such as POST", "")
		}
	}
	if (r.Method == "") != (r.PublicMethod == "") {
		faults.Add(place+"Method", r.Method, "is set without PublicMethod, or the reverse", "set both, or neither if all methods pass unchanged")
	}
}

func isPrefix(url string) bool { return strings.HasSuffix(url, "/") }

// A target is what a proof is about: the method and the normalized URL of a request.
type target struct{ method, url string }

// targets finds what the proof of a request has to be about. Its rewrites have
// normalized URLs.
type targets struct {
	exact    map[string][]Rewrite // by URL
	prefixes []Rewrite
}

func newTargets(rewrites []Rewrite) targets {
	t := targets{exact: make(map[string][]Rewrite)}
	for _, r := range rewrites {
		many := isPrefix(r.URL) // before a slash is added to a URL without a path
		// They were validated, so they can be normalized.
		r.URL, _ = normalizeURL(r.URL)
		r.PublicURL, _ = normalizeURL(r.PublicURL)
		if many {
			t.prefixes = append(t.prefixes, r)
		} else {
			t.exact[r.URL] = append(t.exact[r.URL], r)
		}
	}
	return t
}

// check compares htm and htu with the request.
func (t *targets) check(method, url string, req token.Request) error {
	// URLs that are equal need no normalization.
	if len(t.exact)+len(t.prefixes) == 0 && method == req.Method && url == req.URL {
		return nil
	}
	got, ok := normalizeURL(url)
	if !ok {
		return errors.New("htu is not an http or https URL with a host in ASCII and without user information")
	}
	arrived, ok := normalizeURL(req.URL)
	if !ok {
		return errors.New("the URL of the request cannot be compared with htu")
	}
	wanted := t.of(req.Method, arrived)
	if slices.Contains(wanted, target{method, got}) {
		return nil
	}
	for _, w := range wanted {
		if w.url == got {
			return fmt.Errorf("htm is %s, expected %s", jwt.Quote(method), jwt.Quote(w.method))
		}
	}
	return fmt.Errorf("htu is %s, expected %s", jwt.Quote(got), jwt.Quote(wanted[0].url))
}

// of returns the targets of a request, at least one.
func (t *targets) of(method, url string) (found []target) {
	for _, r := range t.exact[url] {
		if public, ok := r.apply(method, ""); ok {
			found = append(found, public)
		}
	}
	for _, r := range t.prefixes {
		rest, isUnder := strings.CutPrefix(url, r.URL)
		if public, ok := r.apply(method, rest); isUnder && ok {
			found = append(found, public)
		}
	}
	if found == nil {
		found = append(found, target{method, url})
	}
	return found
}

// apply returns the public form of a request whose URL has rest after that of the
// rewrite. It reports false if the rewrite is one of another method.
func (r Rewrite) apply(method, rest string) (public target, ok bool) {
	switch r.Method {
	case "":
		return target{method, r.PublicURL + rest}, true
	case method:
		return target{r.PublicMethod, r.PublicURL + rest}, true
	default:
		return target{}, false
	}
}
