// Package policy says what each RPC asks of its caller: nothing, any valid
// token, or scopes.
//
// A [Policy] is plain data, keyed by service name. [Compile] checks it and
// turns it into a [Table], an immutable look-up from procedure to
// [Requirement]. What no rule mentions is denied.
package policy

// Policy holds the rules of every service of a server, keyed by the fully
// qualified name of the service, such as "inventory.v1.InventoryService".
//
// The zero Policy denies everything. Compile copies what it needs: a Policy may
// be changed afterwards without effect.
type Policy struct {
	// Services holds the rules of each service.
	Services map[string]Service
	// Implies says which scopes a scope stands for besides itself:
	// {"admin": {"write"}, "write": {"read"}} lets a token with admin do what
	// asks for write or read. It is transitive, and cycles are errors.
	Implies map[string][]string
}

// Service holds the rules of one service.
type Service struct {
	// Rule holds for every method that Methods does not name. The zero Rule
	// denies them.
	Rule Rule
	// Methods holds rules that replace Rule, keyed by the plain name of the
	// method, such as "AdjustStock".
	Methods map[string]Rule
	// Undescribed says that no protobuf descriptor of this service is linked
	// into the program: it is a plain HTTP handler, or it is served elsewhere.
	// Without it, a service that no descriptor knows is an error, because a
	// rule for a misspelt name would never be asked.
	Undescribed bool
}

// Rule says what one procedure asks of its caller. Exactly one of Public,
// Authenticated, or a list of scopes is set; the zero Rule denies every caller.
type Rule struct {
	// Public lets everyone in. A token that is sent all the same is not looked
	// at.
	Public bool
	// Authenticated asks for a valid token and for no scope.
	Authenticated bool
	// Scopes are all required.
	Scopes []string
	// AnyScopes are scopes of which one suffices. The first is the one that a
	// challenge asks for, so the narrowest belongs there. Together with Scopes,
	// all of Scopes and one of AnyScopes are required.
	AnyScopes []string
}

// IsZero reports whether r is the zero Rule, which denies every caller.
func (r Rule) IsZero() bool {
	return !r.Public && !r.Authenticated && !r.asksScopes()
}

func (r Rule) asksScopes() bool { return len(r.Scopes) > 0 || len(r.AnyScopes) > 0 }
