// The buf-plugin-drawbridge command checks the access rules that stand in the options of
// protobuf services, (drawbridge.v1.service) and (drawbridge.v1.method), as part of buf
// lint. It is a plugin of buf, which runs it and shows what it finds at the line of the
// option. In buf.yaml:
//
//	version: v2
//	lint:
//	  use:
//	    - STANDARD
//	    - DRAWBRIDGE
//	plugins:
//	  - plugin: buf-plugin-drawbridge
//	    options:
//	      scope_pattern: '[a-z]+:(read|write)'
//
// Its rules are, all of them in the category DRAWBRIDGE, and the first two in
// DRAWBRIDGE_MINIMAL:
//
//   - DRAWBRIDGE_OPTIONS_VALID: the options make a policy that a server accepts.
//   - DRAWBRIDGE_RPC_HAS_RULE: every RPC has a rule, or its service has one.
//   - DRAWBRIDGE_SCOPE_PATTERN: every scope matches the option scope_pattern as a whole.
//   - DRAWBRIDGE_PUBLIC_HAS_REASON: every public rule has a reason.
//   - DRAWBRIDGE_WEAKER_METHOD_HAS_REASON: the rule of a method has a reason if it admits
//     callers that the rule of its service refuses.
//
// Its options are:
//
//   - scope_pattern: a regular expression (RE2). Without it, a scope is made of lower case
//     words that colons separate, such as "inventory:read".
//   - allow_services_without_rules: with true, a service of which neither itself nor an RPC
//     has a rule is no mistake, because a policy file or a Go program has its rules.
//
// A comment above an RPC or a service, such as
//
//	// buf:lint:ignore DRAWBRIDGE_SCOPE_PATTERN
//
// turns a rule off for it. Files that are only imported are not checked.
package main

import "buf.build/go/bufplugin/check"

func main() { check.Main(spec) }
