package interceptor

import (
	"cmp"
	"slices"
	"strings"
)

// wellKnown is inserted between host and path of a resource identifier to get
// the URL of its metadata document (RFC 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// resource is a compiled [Resource].
type resource struct {
	Resource

	path      string   // of the identifier, decoded, without a slash at the end
	site      string   // the name of its host
	names     []string // of all its hosts, without ports
	audiences []string
	byHost    map[string]hostDoors // by every form of the Host field that means one of doors
	doors     []*door              // the configured one first
}

// hostDoors are the doors that a host leads to. The first that was configured
// counts where the scheme of the request is unknown or has no door.
type hostDoors struct{ first, http, https *door }

// door is a resource under one base URL.
type door struct {
	owner       *Authorizer
	resource    *resource
	index       int // among all doors of owner
	identifier  string
	metadataURL string
}

// accepts reports whether a token with the given audience is meant for r
// (RFC 8707 §2, RFC 9068 §4).
func (r *resource) accepts(audience []string) bool {
	for _, a := range audience {
		if slices.Contains(r.audiences, a) {
			return true
		}
	}
	return false
}

// covers reports whether path is that of r or below it, by whole segments.
func (r *resource) covers(path string) bool {
	rest, ok := strings.CutPrefix(path, r.path)
	return ok && (rest == "" || rest[0] == '/')
}

// at returns the doors that a host leads to, however it is written.
func (r *resource) at(host string) hostDoors {
	if found, ok := r.byHost[host]; ok {
		return found
	}
	return r.byHost[canonicalHost(host)]
}

func (h hostDoors) with(scheme string, through *door) hostDoors {
	h.first = cmp.Or(h.first, through)
	if scheme == "http" {
		h.http = cmp.Or(h.http, through)
	} else {
		h.https = cmp.Or(h.https, through)
	}
	return h
}

// pick returns the door for a scheme; an empty scheme is unknown.
func (h hostDoors) pick(scheme string) *door {
	switch {
	case scheme == "https" && h.https != nil:
		return h.https
	case scheme == "http" && h.http != nil:
		return h.http
	default:
		return h.first
	}
}
