package interceptor

import (
	"context"

	"github.com/drawbridge-rpc/drawbridge/policy"
)

// grant is a decision to let a caller in.
type grant struct {
	info        *TokenInfo // nil if the rule is public
	requirement *policy.Requirement
	through     *door
	// credential is the place of the field value that was judged. Requests have
	// header maps of their own, so it tells two requests apart, even if one was
	// made with the context of the other.
	credential *string
}

// grantContext carries a grant in one allocation; context.WithValue would need
// two.
type grantContext struct {
	context.Context //nolint:containedctx // It is a context.

	grant
}

type grantKey struct{}

// Value returns the context itself for the key of grants, which costs nothing.
func (c *grantContext) Value(key any) any {
	if key == (grantKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func grantFromContext(ctx context.Context) (grant, bool) {
	c, ok := ctx.Value(grantKey{}).(*grantContext)
	if !ok {
		return grant{}, false
	}
	return c.grant, true
}

// TokenInfoFromContext returns the facts of the token with which the call was
// authorised. It reports false where nothing was: outside of an authorised call,
// and in one whose rule is public.
func TokenInfoFromContext(ctx context.Context) (*TokenInfo, bool) {
	g, _ := grantFromContext(ctx)
	return g.info, g.info != nil
}

// WithCallerOf returns ctx with the caller of another call: the decision that
// from carries, or none. It is for servers that handle a request with a context
// which is not the request's own, as MCP sessions do.
func WithCallerOf(ctx, from context.Context) context.Context {
	g, _ := grantFromContext(from)
	return &grantContext{Context: ctx, grant: g}
}

// decided reports whether ctx carries a's decision about this very request.
func (a *Authorizer) decided(ctx context.Context, req *Request) bool {
	g, ok := grantFromContext(ctx)
	if !ok || g.through == nil || g.through.owner != a || g.requirement == nil || g.requirement != a.requirement(req) {
		return false
	}
	if through := a.directory.find(req); through == nil || through.resource != g.through.resource {
		return false
	}
	if g.credential == nil {
		return g.requirement.Public()
	}
	return len(req.Authorization) == 1 && g.credential == &req.Authorization[0]
}
