package interceptor

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// Config says what an [Authorizer] guards. [New] checks all of it, copies what
// it needs, and reports every fault at once.
type Config struct {
	// Resources are the protected resources (RFC 9728) that the server is. At
	// least one is required. A request belongs to the resource whose
	// identifier's path is the longest prefix, by whole segments, of the
	// request's path: with https://h and https://h/mcp, the MCP endpoint
	// belongs to the second and every RPC to the first. Where resources have
	// different hosts, the Host of the request chooses among them, so the router
	// has to choose by it as well; a host that is none of theirs is denied. A
	// single resource owns every path. Of several, a path that none covers is
	// denied.
	Resources []Resource
	// Policy says what each RPC asks of its caller.
	Policy policy.Policy
	// Verifier tells who sent a token. Required.
	Verifier TokenVerifier
	// TrustedProxies are the networks of the reverse proxies whose Forwarded
	// and X-Forwarded-* headers tell the host that the client dialled. Empty
	// means nobody's. The headers only choose which base URL of a resource is
	// echoed, never which resource it is.
	TrustedProxies []netip.Prefix
	// Logger receives one record for each denial. Nil means slog.Default().
	Logger *slog.Logger
}

// Resource is a protected resource: a URL that access tokens are minted for.
type Resource struct {
	// Identifier is the resource identifier (RFC 9728 §1.2): the URL that
	// clients use, or a parent of it, without query and fragment. It is https;
	// http is allowed on loopback alone, where localhost, 127.0.0.1 and [::1]
	// then stand for each other. Required.
	Identifier string
	// AuthorizationServers are the issuer identifiers of the authorization
	// servers that mint tokens for the resource. At least one is required.
	AuthorizationServers []string
	// Aliases are further base URLs, scheme and host without a path, under
	// which clients dial in. A request that comes in under one gets challenges
	// and metadata for it.
	Aliases []string
	// Audiences are further values of a token's aud claim that are accepted,
	// for authorization servers that do not follow RFC 8707. Each is compared
	// byte for byte.
	Audiences []string
	// Name and Documentation are resource_name and resource_documentation of
	// the metadata document. Both may be empty.
	Name, Documentation string
}

// ConfigError is one fault of a [Config]. The error of [New] joins all of them.
type ConfigError struct {
	// Field names the place, such as "Resources[0].Identifier".
	Field string
	// Value is the offending value; empty if something is missing.
	Value string
	// Reason says what is wrong with it.
	Reason string
}

func (e *ConfigError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("interceptor: %s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("interceptor: %s: %q %s", e.Field, e.Value, e.Reason)
}

// faults collects every fault of a configuration.
type faults []error

func (f *faults) add(field, value, reason string) {
	*f = append(*f, &ConfigError{Field: field, Value: value, Reason: reason})
}

func (f *faults) join() error { return errors.Join(*f...) }

func (f *faults) checkConfig(cfg Config) {
	if cfg.Verifier == nil || reflect.ValueOf(cfg.Verifier).Kind() == reflect.Pointer && reflect.ValueOf(cfg.Verifier).IsNil() {
		f.add("Verifier", "", "is required")
	}
	if len(cfg.Resources) == 0 {
		f.add("Resources", "", "at least one is required")
	}
	for i, prefix := range cfg.TrustedProxies {
		if !prefix.IsValid() {
			f.add(fmt.Sprintf("TrustedProxies[%d]", i), "", "is the zero prefix, and means no network")
		} else if prefix.Addr().Is4In6() {
			f.add(fmt.Sprintf("TrustedProxies[%d]", i), prefix.String(), "is an IPv4 network written as IPv6; peers are compared as IPv4")
		}
	}
}

func (f *faults) checkResource(field string, r Resource) {
	if _, reason := parseIdentifier(r.Identifier); reason != "" {
		f.add(field+".Identifier", r.Identifier, reason)
	}
	if len(r.AuthorizationServers) == 0 {
		f.add(field+".AuthorizationServers", "", "at least one is required (MCP authorization; RFC 9728 §2)")
	}
	for i, server := range r.AuthorizationServers {
		if _, reason := parseIdentifier(server); reason != "" {
			f.add(fmt.Sprintf("%s.AuthorizationServers[%d]", field, i), server, reason)
		}
	}
	for i, alias := range r.Aliases {
		u, reason := parseIdentifier(alias)
		if reason == "" && strings.Trim(u.EscapedPath(), "/") != "" {
			reason = "has a path; an alias is a scheme and a host"
		}
		if reason != "" {
			f.add(fmt.Sprintf("%s.Aliases[%d]", field, i), alias, reason)
		}
	}
	for i, audience := range r.Audiences {
		if audience == "" {
			f.add(fmt.Sprintf("%s.Audiences[%d]", field, i), "", "is empty")
		}
	}
	if r.Documentation != "" {
		if u, err := url.Parse(r.Documentation); err != nil || u.Host == "" {
			f.add(field+".Documentation", r.Documentation, "is not a URL")
		}
	}
}

// parseIdentifier parses the URL of a resource or an issuer. The reason is
// empty if it is fit for a header and a metadata document (RFC 9728 §1.2,
// RFC 8414 §2).
func parseIdentifier(s string) (u *url.URL, reason string) {
	if s == "" {
		return nil, "is required"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		return nil, "holds a character that is not allowed in a URL"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, "is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, "is not an absolute URL such as https://api.example.com"
	case u.Hostname() == "" || u.User != nil:
		return nil, "has no host, or more than a host and a port before its path"
	case canonicalHost(u.Host) == "":
		return nil, "has a malformed host"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, "is http; only https protects a token (http is allowed on loopback)"
	case u.RawQuery != "" || u.ForceQuery:
		return nil, "has a query"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, "has a fragment"
	case strings.Contains(strings.ToLower(s), "%2f") || strings.Contains(u.Path, `\`):
		return nil, "has an encoded slash or a backslash in its path"
	case hasDotSegment(u.Path) || strings.Contains(u.Path, "//"):
		return nil, "has a path with empty or dot segments"
	case u.Scheme+"://"+u.Host+u.EscapedPath() != s:
		return nil, "is not written as URLs are: a lower-case scheme, and percent-encoding where it is needed"
	}
	return u, ""
}
