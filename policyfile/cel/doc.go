// Package cel compiles the conditions of policy rules ([policy.Rule.Condition]) that are
// written in the Common Expression Language (CEL, https://cel.dev).
//
//	conditions, err := cel.New(cel.Config{})
//	…
//	table, err := policy.Compiler{Conditions: conditions}.Compile(policy.Policy{…
//		"AdjustStock": {
//			Scopes:    []string{"inventory:write"},
//			Condition: `request.delta < 100 || "inventory:bulk" in token.scopes`,
//		},
//
// A condition is compiled before it is used: a field that does not exist, or a comparison
// that can never be made, is a fault of the policy, with line and column in the text.
//
// # What a condition can read
//
//	token.iss, token.sub          strings: issuer and subject
//	token.client_id, token.sid    strings: client, and session at the issuer
//	token.party                   "user", "client" or "unknown"
//	token.aud, token.scopes       lists of strings
//	token.acr                     string: the class of the user's authentication
//	token.auth_time, token.iat    timestamps
//	token.actor                   who acts for the subject: iss, sub, client_id
//	token.claims                  map of the further claims that the verifier keeps
//	rpc.procedure                 "/pkg.Service/Method"
//	rpc.service, rpc.method       "pkg.Service" and "Method"
//	now                           timestamp: the time of the decision
//	request                       the message, on the rule of a unary method
//
// Fields of the request have their names in the protobuf file. A condition reads request
// only on the rule of a unary method, because the message of a stream is not known when
// the call is judged. A duration or time that is out of the range of protobuf, and a
// duration of more than 292 years, is an error where it is read. Enums are numbers, or names such as shop.v1.Color.COLOR_RED, for
// enums of the request's file and the files that it imports.
//
// Of numbers, those of claims are doubles, as in JSON. Numbers of all types are compared
// with <, <=, > and >=, and claims also with == and !=, by their values:
// token.claims.level >= 3. Otherwise, types do not mix: int(token.claims.level) + 1, and
// a field without a sign is compared with 10u.
//
// From 2^53 on, a double stands for several integers. So it is an error beside an integer,
// be it with ==, <, in, as a key or in a set, and int(), uint() and double() do not convert
// such numbers. Two doubles are compared as they are. An identifier of this size has to be
// a string in the token: token.claims.account == string(request.account).
//
// # What is absent
//
// What a condition reads of a token has to be there. A claim that is absent, and so a
// subject, client, session, class, time or actor, is an error where it is read, and an error means that the
// condition is not met, be it == or !=. No two things are equal because neither is there:
//
//	token.claims.tenant == request.tenant
//	has(token.claims.tenant) && token.claims.tenant == "acme"    // no error in the log
//	!has(token.claims.tenant) || token.claims.tenant != "guest"  // absent is fine
//
// A claim with a name of other characters is token.claims["https://acme.com/tenant"]. If
// one side of || is true, or one side of && false, an error on the other side does not
// matter. has() asks for the last name alone: what stands before it has to be there.
//
// What is null is as absent as what is missing, in a claim and in a google.protobuf.Value
// or Struct: has() and in do not find it, and to read it is an error. A null in a list is
// an error where it is compared, unless another element decides: "a" in token.claims.teams
// is true if there is an "a", an error if there is none but a null, and else false. The
// literal null is a fault.
//
// A field of a message that is not set has its default, as in protobuf; has() reports
// whether it is set. A wrapper, such as google.protobuf.StringValue, is there to tell the
// two apart, so to read one that is not set is an error:
//
//	!has(request.limit) || request.limit <= 100
//
// # Idioms
//
//	request.owner == token.sub
//	token.party == "user" && now - token.auth_time < duration("15m")
//	"admin" in token.claims.realm_access.roles
//	request.items.all(item, item.warehouse in token.claims.warehouses)
//	sets.contains(token.claims.accounts, request.account_ids)
//	request.name.startsWith("projects/" + token.claims.project + "/")
//	request.email.lowerAscii() == token.claims.email.lowerAscii()
//	rpc.method.matches("^(Get|List)") || token.acr == "gold"
//	now.getHours("Europe/Berlin") < 18
//
// # Limits
//
// A condition has the functions and macros of the CEL standard (has, all, exists,
// exists_one, map, filter), lowerAscii and upperAscii, and sets.contains, sets.intersects
// and sets.equivalent. There is none that waits, or that gives another result for the
// same call.
//
// The pattern of matches and the time zone of getHours and its like are literals: no caller
// writes them. Patterns are those of package regexp, which takes linear time; a text of
// more than 16 KiB is not matched, nor is a shorter one if the pattern is large, see
// [Config]. A time zone is loaded when the condition is compiled. Messages are compared
// field by field, also those in lists, and made nowhere. They do not go through dyn(), nor
// into lists of different types. The content of a google.protobuf.Any is not read, nor are
// extensions. The result is a bool. A text has up to 8,192 characters. What it may cost is
// bounded, see [Config].
//
// The log says where in the text a condition failed, and why, in fixed sentences: no value
// of a token or of a message is in it.
package cel
