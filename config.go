package drawbridge

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// Config configures an [Authorizer]. [New] checks all of it, copies what it
// needs, and reports every fault at once.
type Config struct {
	// Resources are the protected resources (RFC 9728) of the server. At least one
	// is required. A request belongs to the resource whose mount path is the
	// longest prefix, by whole segments, of the request's path: with https://h and
	// https://h/mcp, the MCP endpoint belongs to the second and every RPC to the
	// first. Where resources have different hosts, the Host of the request chooses
	// among them, so the router has to choose by it as well; an unknown host is
	// denied. A single resource owns every path. Of several, a path that none
	// covers is denied, and a service whose RPCs none covers is a fault.
	Resources []Resource
	// Policy is what each RPC requires of its caller.
	Policy policy.Policy
	// Compiler compiles Policy. The zero Compiler is ready to use.
	Compiler policy.Compiler
	// Verifier verifies access tokens. Required.
	Verifier token.Verifier
	// Bindings check proofs of possession, by confirmation method: the member
	// of the token's cnf claim, such as "jkt" (RFC 9449 §6.1) or "x5t#S256"
	// (RFC 8705 §3.1). A token that names a method without a Binding is refused,
	// so without any every bound token is. Package verifier/proof has both. With one
	// for DPoP, tokens are accepted under the scheme DPoP, and challenges name it
	// beside Bearer.
	Bindings map[string]token.Binding
	// TrustedProxies are the networks of the reverse proxies that set
	// ForwardedField to the host that the client dialed. Empty trusts none. The
	// field only chooses which base URL of a resource is echoed, never which
	// resource it is.
	TrustedProxies []netip.Prefix
	// ForwardedField is the header field that the trusted proxies set:
	// "X-Forwarded-Host", with X-Forwarded-Proto for the scheme, or "Forwarded"
	// (RFC 7239). Empty means the first. The other is ignored, because a proxy that
	// does not set it passes on what the client sent.
	ForwardedField string
	// Observers receive every decision, allowed ones too, in this order.
	Observers []Observer
	// Logger receives one record for each denial. Nil means slog.Default().
	Logger *slog.Logger
	// LogLevels are the levels of these records by reason, in place of
	// [slog.LevelError] for [challenge.ReasonInternal] and [slog.LevelWarn] for
	// every other. Each OAuth client makes its first request without a token, so
	// that many servers want
	//
	//	LogLevels: map[challenge.Reason]slog.Level{challenge.ReasonNoCredentials: slog.LevelInfo}
	LogLevels map[challenge.Reason]slog.Level
}

// Resource is a protected resource: a URL that access tokens are minted for.
type Resource struct {
	// Identifier is the resource identifier (RFC 9728 §1.2): the URL that
	// clients use, or a parent of it, without query and fragment. It is https;
	// http is allowed on loopback alone, where localhost, 127.0.0.1 and [::1]
	// then stand for each other. Required.
	Identifier string
	// MountPath is the decoded path at which requests for the resource arrive at
	// this process. Empty means that of Identifier. It is "/" for https://h/api
	// behind a proxy that strips /api.
	MountPath string
	// Services are the services of the policy that clients reach through the
	// resource, those behind MCP tools included: the scopes_supported of the
	// metadata document are theirs, and a request for another service is denied.
	// Empty denies none. It means every service if there is one resource; of
	// several, the RPC services whose procedures are paths below the mount path,
	// and every service without a descriptor. A service that requires a token and
	// belongs to no resource is a fault.
	Services []string
	// AuthorizationServers are the issuer identifiers of the authorization
	// servers that mint tokens for the resource. At least one is required.
	AuthorizationServers []string
	// Issuers are the values of a token's iss claim that open the resource, each
	// compared byte for byte. Empty means AuthorizationServers; set it where a
	// server is advertised under another name than its tokens carry. One with a
	// placeholder, such as https://login.example.com/{tenant}/v2.0, stands for every
	// issuer of that form that the verifier accepts.
	Issuers []string
	// Aliases are further base URLs, scheme and host without a path, under
	// which clients dial in. A request that comes in under one gets challenges
	// and metadata for it.
	Aliases []string
	// Audiences are further values of a token's aud claim that are accepted,
	// for authorization servers that do not follow RFC 8707. Each is compared
	// byte for byte.
	Audiences []string
	// MetadataURL is the resource_metadata of challenges where the document is not
	// served at the well-known path of Identifier, as for a server that speaks gRPC
	// alone. Empty means the well-known URL.
	MetadataURL string
	// Name is resource_name of the metadata document. It may be empty.
	Name string
	// Proof states whether tokens have to be bound to a key of the client.
	Proof policy.Proof
	// Metadata are further members of the metadata document, such as
	// resource_policy_uri or mcp_extensions_supported, by name. The values are encoded
	// by encoding/json. A member that follows from the rest of the configuration is a
	// fault.
	Metadata map[string]any
	// DocumentationURL is resource_documentation of the metadata document: the
	// URL of a page for developers. It may be empty.
	DocumentationURL string
}

// check adds the faults of everything but the resources and the policy.
func (cfg *Config) check(faults *fault.List) {
	if isNil(cfg.Verifier) {
		faults.Add("Verifier", "", "is required", "")
	}
	for i, observer := range cfg.Observers {
		if isNil(observer) {
			faults.Add(fmt.Sprintf("Observers[%d]", i), "", "is nil", "")
		}
	}
	for _, method := range slices.Sorted(maps.Keys(cfg.Bindings)) {
		switch {
		case method == "":
			faults.Add("Bindings", "", "has an entry without a confirmation method", "")
		case isNil(cfg.Bindings[method]):
			faults.Add("Bindings", method, "has no Binding", "")
		}
	}
	cfg.checkProofs(faults)
	cfg.checkMetadata(faults)
}

// isNil reports whether an interface holds nothing, a nil pointer, or a nil
// function.
func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || (v.Kind() == reflect.Pointer || v.Kind() == reflect.Func) && v.IsNil()
}
