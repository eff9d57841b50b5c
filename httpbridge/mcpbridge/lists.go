package mcpbridge

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
)

// private is the cacheScope of a result that depends on the caller. go-sdk fills
// in "public".
const private = "private"

// shown returns what the caller sees of a result: the items of a list that it may
// use, or could with another token. A page may become shorter, and even empty;
// its cursor stays. Nothing is recorded, because nothing was asked for.
//
// The denial is the given one, unless the token has expired meanwhile: a list
// without what the caller may use would be wrong.
func (g *Guard) shown(ctx context.Context, result mcp.Result, denial *challenge.DenialError) (mcp.Result, *challenge.DenialError) {
	caller := g.adapter.Caller(ctx)
	offers := func(procedures []string) bool {
		offered, expired := g.offers(ctx, caller, procedures)
		if expired && denial == nil {
			denial = caller.Expire(ctx, "")
		}
		return offered
	}
	return g.filtered(caller, result, offers), denial
}

// filtered returns a result with the items that are offered.
func (g *Guard) filtered(caller *drawbridge.Caller, result mcp.Result, offers func(procedures []string) bool) mcp.Result {
	switch result := result.(type) {
	case *mcp.ListToolsResult:
		page := *result
		page.CacheScope = private
		page.Tools = filter(result.Tools, func(t *mcp.Tool) bool { return offers(entry(g.entries.tools, t.Name)) })
		return &page
	case *mcp.ListPromptsResult:
		page := *result
		page.CacheScope = private
		page.Prompts = filter(result.Prompts, func(p *mcp.Prompt) bool { return offers(entry(g.entries.prompts, p.Name)) })
		return &page
	case *mcp.ListResourcesResult:
		page := *result
		page.CacheScope = private
		page.Resources = filter(result.Resources, func(r *mcp.Resource) bool { return offers(g.entries.registered(r.URI)) })
		return &page
	case *mcp.ListResourceTemplatesResult:
		page := *result
		page.CacheScope = private
		page.ResourceTemplates = filter(result.ResourceTemplates, func(t *mcp.ResourceTemplate) bool {
			return offers(g.entries.registered(t.URITemplate))
		})
		return &page
	case *mcp.ReadResourceResult:
		if caller.IsAnonymous() {
			return result
		}
		read := *result
		read.CacheScope = private
		return &read
	default:
		return result
	}
}

// offers reports whether a caller may use what the procedures stand for, or, unless
// only that is shown, could with another token; and whether the token has expired.
func (g *Guard) offers(ctx context.Context, caller *drawbridge.Caller, procedures []string) (offered, expired bool) {
	adapter := g.adapter.Pin(ctx)
	for _, procedure := range procedures {
		if adapter.NeedsMessage(procedure) {
			return false, false // It has become so with a reload, see New.
		}
		denial := caller.Assess(ctx, procedure)
		if denial == nil {
			continue
		}
		if g.onlyCallable || denial.Reason != challenge.ReasonInsufficientScope && denial.Reason != challenge.ReasonInsufficientAuthentication {
			return false, denial.Reason == challenge.ReasonInvalidToken
		}
	}
	return len(procedures) > 0, false
}

// filter returns the items that are kept. It is never nil, because JSON needs an
// array.
func filter[T any](items []T, keep func(T) bool) []T {
	kept := make([]T, 0, len(items))
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}
