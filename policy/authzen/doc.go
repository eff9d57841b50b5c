// Package authzen asks a policy decision point outside of the server about calls, over the
// OpenID AuthZEN Authorization API 1.0. It compiles the [policy.Rule.Question] of rules:
//
//	point, err := authzen.New(authzen.Config{URL: "https://pdp.example.com"})
//	…
//	drawbridge.Config{Compiler: policy.Compiler{Questions: point}, …}
//
// # Values
//
// A value of a question is a text in single quotes, 'gold', or a path. A text has no single
// quote in it. These are the paths:
//
//	token.iss  token.sub  token.client_id  token.sid  token.acr
//	token.party                    "user", "client" or "unknown"
//	token.aud  token.scopes        arrays
//	token.iat  token.auth_time     RFC 3339, as ProtoJSON writes a timestamp
//	token.actor.iss  token.actor.sub  token.actor.client_id
//	token.claims.realm_access.roles, token.claims['https://example.com/tenant']
//	rpc.procedure  rpc.service  rpc.method
//	request.account_id  request.transfer.to.account_id
//
// Fields of the message have the names of the protobuf file. A path is checked against the
// type of the message when the policy is compiled. A claim has to be one that the verifier
// keeps.
//
// Values are JSON as ProtoJSON maps it: integers of 64 bits are strings, bytes are base64,
// enums are the names of their values, timestamps are RFC 3339. Messages inside of a value have
// their names in lowerCamelCase, and their fields without presence even if they have the
// default. A property that the call does not have is left out (AuthZEN §11.5): an empty fact, a
// claim that the token lacks or that is null, a field with presence that is not set, or a
// message on the way to it. A field without presence is always there.
//
// An ID is a JSON string: of a text, an integer, an enum or bytes. A call whose ID is empty or
// not set does not meet the rule, and nothing is asked. The policy decision point gets an ID as
// the caller wrote it, and has to treat it as such: one that puts "type:id" together must not
// read more of it.
//
// # Subjects
//
// If the question has no Subject, it is {"type": "user", "id": token.sub} for a token that
// speaks for a user, and {"type": "client", "id": token.client_id} for one that speaks for the
// client itself. A call with a token of which that cannot be told does not meet the rule, because
// a client could have the name of a user. A subject is unique only together with its issuer: a
// server that accepts several issuers adds token.iss to the Properties, or puts the issuer into
// the type.
//
// # Lists
//
// If the ID of the resource is a repeated field, or a field of repeated messages, such as
// request.transfers.account_id, all elements are asked about in one request (AuthZEN §7), with
// the semantic deny_on_first_deny. All have to be allowed. A call with an empty list does not
// meet the rule, because it names nothing that could be allowed, and neither does one with more
// than [Config].MaxElements elements.
//
// # Answers
//
// A call meets the rule if the answer is 200, application/json, at most 64 KiB long, and an
// object whose decision is true. If decision is false, the call does not meet it, and the caller
// gets "permission_denied". Everything else is an outage, and the caller gets "unavailable",
// never an allowed call: another status, a redirect, a decision that is missing, there twice, or
// no boolean, a list with too few decisions and no denial among them or with too many, an
// answer that is late. A request is not repeated after an answer. The context of an answer has no
// effect; in particular, obligations are not enforced. A policy decision point may answer 400 to an
// ID that only a caller would write, such as one with spaces: that call is unavailable, too.
//
// Every call asks, unless the rule sets [policy.Question.CacheFor]. Then the answer is
// used again for the very same request, and callers that ask at the same time share one. An
// answer belongs to one compilation of its rule, so that a reload of the policy begins anew.
// An outage is not remembered. Revocation needs nothing here: the verifier refuses a revoked
// token before a rule is looked at.
package authzen
