// Package policy defines the requirements of each RPC on its caller: none, a
// valid token, or a token that has certain scopes, whose user authenticated in a
// certain way, or that speaks for certain parties.
//
// A [Policy] is plain data, keyed by service name. It is written in Go, beside each
// RPC as protobuf options ([FromOptions]), or in a file, which
// package drawbridge/policyfile reads; [Policy.Override] puts them together.
// [Compile] checks it and returns a [Table], an immutable map from procedures to
// requirements. A procedure without a rule is denied.
package policy

import (
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// Policy holds the rules of every service of a server, keyed by the fully
// qualified name of the service, such as "inventory.v1.InventoryService".
//
// The zero Policy denies everything. Compile copies what it needs: a Policy may
// be changed afterwards without effect.
type Policy struct {
	// Services holds the rules of each service.
	Services map[string]Service
	// Implies lists the scopes that a scope includes besides itself: with
	// {"admin": {"write"}, "write": {"read"}}, a token with admin satisfies a
	// rule that requires write or read. It is transitive, and cycles are errors.
	Implies map[string][]string
	// Resources holds the services that clients reach through a protected resource,
	// by its identifier. They take the place of the Services of that resource, which
	// the server must have.
	Resources map[string][]string
	// Sources holds where entries of Implies and Resources are written, such as
	// "policy.yaml:12", by their place: `Implies["admin"]`,
	// `Resources["https://api.example.com"]`. They stand in faults. Nil means a Go program.
	Sources map[string]string

	replaced *Policy        // what Override put rules over
	faults   []*fault.Fault // what was wrong with the options of descriptors
}

// Service holds the rules of one service.
//
// The server may lack the service: a call that its rules let in then ends with the
// status unimplemented, which under a public rule every caller gets. A server wants
// public rules for services that clients try before their calls, without a token:
// grpc.health.v1.Health (client-side health checking of gRPC),
// xds.service.orca.v3.OpenRcaService (ORCA load reports), and
// grpc.reflection.v1.ServerReflection with its predecessor
// grpc.reflection.v1alpha.ServerReflection. Where one of them is missing, clients
// go on after unimplemented, and take unauthenticated for a failure.
type Service struct {
	// Rule applies to every method that Methods does not name. The zero Rule
	// denies them.
	Rule Rule
	// Methods holds rules that replace Rule, keyed by the plain name of the
	// method, such as "AdjustStock".
	Methods map[string]Rule
	// NoDescriptor declares that no protobuf descriptor of this service is linked
	// into the program, because it is a plain HTTP handler, is served elsewhere, or
	// has a handler of connectrpc.com/grpchealth or connectrpc.com/grpcreflect, which
	// keep their descriptors under other names. Otherwise a service without a
	// descriptor is an error: its name may be misspelled, and its rule would never
	// apply.
	NoDescriptor bool
	// Source is where the service is written, such as "policy.yaml:12". It stands in
	// faults and warnings. Empty means a Go program.
	Source string
}

// Rule is the requirement of one procedure on its caller. Public and Denied each stand
// alone. With any other field but Reason and Source the caller needs a valid token,
// which has to meet every field that is set. The zero Rule denies every caller.
//
// ACRValues and MaxAge are met or not when a call begins: a stream goes on while the
// user's authentication ages.
type Rule struct {
	// Public allows every caller. A token that is sent nevertheless is ignored. The
	// server may lack the service, see [Service].
	Public bool
	// Denied denies every caller, as the zero Rule does. [Policy.Override] takes the
	// zero Rule of a service for one that is not there, and Denied for one that is.
	Denied bool
	// Reason says why the rule is as it is, above all why it is public. It has no
	// effect.
	Reason string
	// Source is where the rule is written, such as "policy.yaml:12". It stands in
	// faults and in the log. Empty means a Go program.
	Source string
	// Authenticated requires a valid token and no scope.
	Authenticated bool
	// Scopes are all required.
	Scopes []string
	// AnyScopes are scopes of which one is required, besides all of Scopes. A
	// challenge asks for the first, which should be the narrowest.
	AnyScopes []string
	// AnyScopeSets are sets of scopes of which one is required as a whole, besides
	// Scopes and AnyScopes: {{"orders:read", "orders:export"}, {"admin"}}. A challenge
	// asks for the first, which should be the narrowest.
	AnyScopeSets [][]string
	// Claims are conditions on claims of the token, which have to be met all. No
	// further scope mends what a claim lacks: such a denial has the reason
	// [challenge.ReasonForbidden].
	Claims []ClaimCondition
	// Condition is an expression that has to be true of the token, the procedure and,
	// on the rule of a unary method, the message, in the language of
	// [Compiler].Conditions. It is judged last. A call that does not meet it is denied
	// with the reason [challenge.ReasonForbidden].
	//
	// A rule whose condition reads the message is met only where the decoded message is
	// known: by the options of connectauth and grpcauth. What decides before a message
	// is read, or has none, denies the call as internal.
	Condition string
	// Question asks a policy decision point outside of the server, last of all, and calls
	// for [Compiler].Questions. A denial has the reason [challenge.ReasonForbidden], and
	// [challenge.ReasonUnavailable] while there is no answer. Nil asks nothing.
	Question *Question
	// ACRValues are authentication context classes, in order of preference, of which
	// the user's authentication needs one (RFC 9470 §3). They are compared byte for
	// byte with the acr claim of the token: one class does not include another, so
	// list the stronger ones, too. A token that a client got for itself has no user,
	// and does not meet ACRValues whatever its acr claim says. Empty asks for nothing.
	ACRValues []string
	// MaxAge is the greatest age of the user's authentication, by the auth_time claim
	// of the token (RFC 9470 §3), in whole seconds. It includes the time in which the
	// user authenticates and the client comes back with the new token. A token without
	// auth_time, and one that a client got for itself, does not meet it. Zero asks for
	// nothing.
	MaxAge time.Duration
	// Party is whom the token has to speak for: [token.PartyUser] or
	// [token.PartyClient]. A token of which that cannot be told meets neither. An
	// actor makes no difference. Zero allows every token.
	Party token.Party
	// Actors are the parties that may act for the subject of the token (RFC 8693
	// §4.1): the current actor, which is the outermost one of the act claim, has to be
	// one of them. Earlier actors do not count. A token without an actor meets Actors.
	// Empty allows every actor.
	Actors []Actor
	// NoActor refuses every token with an actor: the subject has to act for itself.
	NoActor bool
	// Proof states whether the token has to be bound to a key of the client, beside
	// what the resource says about all its tokens. Zero leaves it to the resource.
	Proof Proof
}

// IsZero reports whether r says nothing about the caller. Such a rule denies every
// caller.
func (r Rule) IsZero() bool { return !r.Public && !r.Denied && !r.needsToken() }

// denies reports whether r denies every caller.
func (r Rule) denies() bool { return r.Denied || r.IsZero() }

// needsToken reports whether a field is set that requires a valid token.
func (r Rule) needsToken() bool {
	return r.Authenticated || r.hasScopes() || r.hasAuthentication() || r.hasIdentity() ||
		len(r.Claims) > 0 || r.Condition != "" || r.Question != nil || r.Proof != ProofAllowed
}

func (r Rule) hasScopes() bool {
	return len(r.Scopes) > 0 || len(r.AnyScopes) > 0 || len(r.AnyScopeSets) > 0
}

func (r Rule) hasAuthentication() bool { return len(r.ACRValues) > 0 || r.MaxAge != 0 }

func (r Rule) hasIdentity() bool {
	return r.Party != token.PartyUnknown || len(r.Actors) > 0 || r.NoActor
}
