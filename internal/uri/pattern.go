package uri

import (
	"slices"
	"strings"
)

// A Pattern stands for the issuers of many tenants, whose identifiers differ in one
// segment of the path: https://login.example.com/{tenant}/v2.0.
type Pattern struct {
	text           string
	prefix, suffix string // what surrounds the segment
}

// IsPattern reports whether an issuer is meant as a pattern: it has a brace,
// whether that is escaped or not.
func IsPattern(issuer string) bool {
	lower := strings.ToLower(issuer)
	return strings.ContainsAny(lower, "{}") || strings.Contains(lower, "%7b") || strings.Contains(lower, "%7d")
}

// ParsePattern parses a pattern. The reason says what is wrong, and is empty for a
// valid one.
func ParsePattern(s string) (p Pattern, reason string) {
	before, rest, _ := strings.Cut(s, "{")
	name, after, found := strings.Cut(rest, "}")
	switch {
	case !found || name == "" || strings.ContainsAny(name, "{/") || IsPattern(before) || IsPattern(after):
		return Pattern{}, "is not a pattern, which has one placeholder in braces such as {tenant}"
	case !strings.HasSuffix(before, "/") || after != "" && after[0] != '/':
		return Pattern{}, "has a placeholder that is not a whole segment of the path"
	}
	// A tenant must not choose the host, so the placeholder is in the path.
	if u, reason := ParseIdentifier(before + "tenant" + after); reason != "" {
		return Pattern{}, reason
	} else if !strings.HasPrefix(before, u.Scheme+"://"+u.Host+"/") {
		return Pattern{}, "has a placeholder outside of its path"
	}
	return Pattern{text: s, prefix: before, suffix: after}, ""
}

// String returns the pattern as it was parsed.
func (p Pattern) String() string { return p.text }

// Tenant returns the tenant of an issuer that p stands for.
func (p Pattern) Tenant(issuer string) (tenant string, ok bool) {
	rest, ok := strings.CutPrefix(issuer, p.prefix)
	if !ok {
		return "", false
	}
	tenant, ok = strings.CutSuffix(rest, p.suffix)
	if !ok || !IsTenant(tenant) {
		return "", false
	}
	return tenant, true
}

// Issuer returns the issuer of a tenant. The tenant satisfies [IsTenant].
func (p Pattern) Issuer(tenant string) string { return p.prefix + tenant + p.suffix }

// maxTenant is the length of the longest tenant, in bytes.
const maxTenant = 128

// IsTenant reports whether a text can be the segment of a tenant: unreserved
// characters (RFC 3986 §2.3), and no dot segment.
func IsTenant(s string) bool {
	if s == "" || len(s) > maxTenant || s == "." || s == ".." {
		return false
	}
	return !slices.ContainsFunc([]byte(s), func(c byte) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~", c) < 0
	})
}
