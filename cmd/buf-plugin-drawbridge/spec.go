package main

import (
	"context"
	"fmt"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/info"
)

// The rules. They stand in the buf.yaml of users, and do not change.
const (
	optionsValid          = "DRAWBRIDGE_OPTIONS_VALID"
	rpcHasRule            = "DRAWBRIDGE_RPC_HAS_RULE"
	scopePattern          = "DRAWBRIDGE_SCOPE_PATTERN"
	publicHasReason       = "DRAWBRIDGE_PUBLIC_HAS_REASON"
	weakerMethodHasReason = "DRAWBRIDGE_WEAKER_METHOD_HAS_REASON"
)

// The categories of rules. Those of minimal are about what a server refuses to start
// with, or denies to every caller.
const (
	all     = "DRAWBRIDGE"
	minimal = "DRAWBRIDGE_MINIMAL"
)

var spec = &check.Spec{
	Rules: []*check.RuleSpec{
		newRule(optionsValid, "Checks that the access rules in options make a policy that a server accepts.",
			checkOptionsValid, minimal, all),
		newRule(rpcHasRule, "Checks that every RPC has an access rule, or its service has one.",
			checkRPCHasRule, minimal, all),
		newRule(scopePattern, `Checks that every scope matches the option "scope_pattern" as a whole.`,
			checkScopePattern, all),
		newRule(publicHasReason, "Checks that every public access rule has a reason.",
			checkPublicHasReason, all),
		newRule(weakerMethodHasReason,
			"Checks that the access rule of a method has a reason if it admits callers that the rule of its service refuses.",
			checkWeakerMethodHasReason, all),
	},
	Categories: []*check.CategorySpec{
		{ID: all, Purpose: "Checks the access rules in the options (drawbridge.v1.service) and (drawbridge.v1.method)."},
		{ID: minimal, Purpose: "Checks that every RPC has an access rule that a server accepts."},
	},
	Info: &info.Spec{
		Documentation: "Checks the access rules of RPCs that stand in the options (drawbridge.v1.service) and (drawbridge.v1.method).",
		SPDXLicenseID: "Apache-2.0",
		LicenseURL:    "https://www.apache.org/licenses/LICENSE-2.0",
	},
	Before: readSchema,
}

// newRule returns a rule that run checks.
func newRule(id, purpose string, run func(check.ResponseWriter, *schema), categories ...string) *check.RuleSpec {
	return &check.RuleSpec{
		ID: id, CategoryIDs: categories, Default: true, Purpose: purpose, Type: check.RuleTypeLint,
		Handler: check.RuleHandlerFunc(func(ctx context.Context, w check.ResponseWriter, _ check.Request) error {
			s, ok := ctx.Value(schemaKey{}).(*schema)
			if !ok {
				return fmt.Errorf("%s: the schema was not read", id)
			}
			run(w, s)
			return nil
		}),
	}
}

type schemaKey struct{}

// readSchema reads what a request asks to check, once for all rules.
func readSchema(ctx context.Context, request check.Request) (context.Context, check.Request, error) {
	s, err := newSchema(request)
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, schemaKey{}, s), request, nil
}
