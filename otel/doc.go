// Package otel records the decisions of an Authorizer with OpenTelemetry: as
// metrics, and in the trace of the caller. It depends on the OpenTelemetry API
// alone; without an SDK it records nothing.
//
// An [Observer] sees every decision, also where the interceptor of a framework
// does not: a guard and connectauth.WithAuthorizer refuse a call before an
// interceptor such as that of otelconnect runs.
//
// # Metrics
//
//   - drawbridge.decisions, a counter of {decision}: with all of the attributes
//     below.
//   - drawbridge.decision.duration, a histogram in s: with all but rpc.method and
//     http.request.method, on which the duration does not depend. Denials that an
//     adapter makes outside of a decision, such as at the expiry of a stream, have
//     no duration.
//
// Their attributes take a bounded number of values:
//
//   - drawbridge.service: the service whose rule decided. It is absent if no rule
//     did.
//   - drawbridge.outcome: "allowed" or "denied".
//   - error.type: the reason of a denial, such as "insufficient_scope"; see
//     challenge.Reason.
//   - rpc.method: the RPC, such as "inventory.v1.InventoryService/ListItems", if a
//     rule decided and a protobuf descriptor that is linked into the program has
//     the method. Otherwise the caller may have made it up, and it is "_OTHER".
//   - http.request.method: the method of a plain HTTP request, or "_OTHER".
//
// With [Config.Verifiers], there are further ones by drawbridge.issuer:
//
//   - drawbridge.verifications, a counter of {verification}: tokens that were
//     verified, from the cache or not. Of those that were refused, error.type is
//     "invalid_token" or, if it was not possible to decide, "unavailable".
//   - drawbridge.key_set.fetches, a counter of {fetch}: fetches of the keys of the
//     issuer. Of those that brought no usable keys, error.type is "unavailable".
//   - drawbridge.token_cache.lookups, a counter of {lookup}: drawbridge.outcome is
//     "hit" or "miss".
//   - drawbridge.token_cache.entries, an up-down counter of {entry}.
//
// # Traces
//
// Each decision is one of these, named drawbridge.decision:
//
//   - an event of the span in the context, if that is recording, as behind
//     otelhttp, an interceptor of otelconnect, or the stats handler of otelgrpc;
//   - else, if the caller's trace is known and sampled, a span in that trace, from
//     the beginning of the decision to its end. The traceparent field of the request
//     is enough, without tracestate;
//   - else, if the call is denied, a span of a new trace, because nothing further in
//     begins one for the call. The sampler sees the attributes. An allowed call gets
//     no span: it would stand beside the trace that the server begins for it.
//
// In a trace that is not sampled there is neither.
//
// A span has the kind internal, because it stands for the decision and not for the
// call: a span of the kind server follows for each call that is let in, and would
// be counted twice. Its status is an error if the server is at fault, as of RPC
// and HTTP servers.
//
// Events and spans have the attributes above, and:
//
//   - drawbridge.decision.duration, in s, of an event;
//   - drawbridge.resource: the identifier of the protected resource (RFC 9728
//     §1.2);
//   - drawbridge.required_scopes: the scopes of the rule, if the caller lacks one;
//   - those of [Config.Identity].
//
// The cause of a denial is in the log alone, whose record has the id of the
// caller's trace.
//
// The names of rpc.method, http.request.method, error.type, enduser.id and
// network.peer.* are those of version 1.43.0 of the semantic conventions, which
// have none for the rest. Contrary to them, an unrecognized method is not recorded as
// rpc.method_original: the log record of the denial has it.
package otel
