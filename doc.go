// Package drawbridge decides whether a caller may invoke an RPC.
//
// It guards Connect and grpc-go servers, and HTTP handlers beside them, as OAuth
// 2.0 protected resources. A refusal carries a challenge that names the resource
// metadata and the scopes to ask for (RFC 6750, RFC 9728), in the form that the
// caller's protocol has for it: an error detail for RPC clients, a 401 or 403
// with WWW-Authenticate for HTTP clients, MCP clients above all.
//
// Most programs need three functions:
//
//   - [New] joins the resources, the policy and a verifier into an [Authorizer],
//     the one place that decides.
//   - verifier.New returns a verifier of access tokens: JWTs (RFC 9068) and opaque ones (RFC 7662).
//   - connectauth.Guard, grpcauth.ServerOptions or httpbridge.New put the
//     Authorizer in front of a server.
//
// The packages:
//
//   - [github.com/drawbridge-rpc/drawbridge/policy]: what each RPC requires of
//     its caller. A procedure without a rule is denied.
//   - [github.com/drawbridge-rpc/drawbridge/verifier]: verification of tokens.
//   - [github.com/drawbridge-rpc/drawbridge/token]: the facts of a verified
//     token, for handlers, and the interface of verifiers.
//   - [github.com/drawbridge-rpc/drawbridge/challenge]: the refusal, and a parser
//     of challenges for clients.
//   - [github.com/drawbridge-rpc/drawbridge/interceptor/connectauth] and
//     [github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth]: the adapters
//     for connect-go and grpc-go.
//   - [github.com/drawbridge-rpc/drawbridge/httpbridge]: HTTP responses, metadata
//     documents, and a guard for any http.Handler.
//   - [github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge]: MCP servers of
//     the official go-sdk, decided tool by tool.
//   - [github.com/drawbridge-rpc/drawbridge/otel]: metrics and traces of decisions.
//   - [github.com/drawbridge-rpc/drawbridge/authtest]: an authorization server
//     for tests.
//   - [github.com/drawbridge-rpc/drawbridge/fault]: the faults of a
//     configuration, as every constructor reports them.
//   - [github.com/drawbridge-rpc/drawbridge/interceptor]: for authors of further
//     adapters.
//
// The directory examples holds servers that run.
package drawbridge
