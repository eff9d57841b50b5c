// Package drawbridge is the door of an RPC server: the bridge comes down for
// those who answer the challenge.
//
// The module guards Connect and grpc-go servers, and HTTP handlers beside them,
// as OAuth protected resources. It decides for every call whether the caller
// may make it. A refusal carries a challenge that says where to get a token and
// which scopes to ask for (RFC 6750, RFC 9728), in whatever form the caller's
// protocol has for it: an error detail for RPC clients, a 401 or 403 with
// WWW-Authenticate for HTTP clients, MCP clients above all.
//
// This package holds no code. Start with these:
//
//   - [github.com/drawbridge-rpc/drawbridge/interceptor]: New builds the
//     Authorizer, the one place that decides, from the resources, the policy
//     and a verifier.
//   - [github.com/drawbridge-rpc/drawbridge/policy]: what a caller needs for
//     each service and method. What no rule allows is denied.
//   - [github.com/drawbridge-rpc/drawbridge/verifier]: who the caller is.
//     Checks JWT access tokens (RFC 9068).
//   - [github.com/drawbridge-rpc/drawbridge/interceptor/connectauth]: the door
//     of a connect-go handler.
//   - [github.com/drawbridge-rpc/drawbridge/interceptor/grpcauth]: the door of a
//     grpc-go server.
//   - [github.com/drawbridge-rpc/drawbridge/httpbridge]: turns refusals into
//     HTTP answers, serves the metadata documents, and guards any http.Handler.
//   - [github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge]: guards an MCP
//     server of the official go-sdk, tool by tool.
//   - [github.com/drawbridge-rpc/drawbridge/authtest]: an issuer for tests.
//
// The directory examples holds servers that run.
package drawbridge
