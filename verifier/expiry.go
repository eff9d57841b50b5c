package verifier

import "github.com/drawbridge-rpc/drawbridge/internal/expiry"

var _ expiry.Checker = (*Verifier)(nil)

// ChecksExpiry returns v. It lets an Authorizer that is configured with v itself
// read the clock once for each call; the facts of a token from any other
// [token.Verifier], such as one that wraps v and caches, are compared with the
// clock again.
func (v *Verifier) ChecksExpiry() any { return v }
