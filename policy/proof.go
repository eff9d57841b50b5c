package policy

// A Proof states whether tokens have to be bound to a key of the client, of which
// each request has a proof: DPoP (RFC 9449) or a client certificate (RFC 8705). The
// zero value is [ProofAllowed].
type Proof uint8

// The values of a [Proof].
const (
	// ProofAllowed means that tokens may be bound. The proof of one that is bound is
	// always required.
	ProofAllowed Proof = iota
	// ProofRequired means that a token which is not bound is invalid.
	ProofRequired
	// ProofRefused means that a token which is bound is invalid. It never counts as a
	// bearer token.
	ProofRefused
)

// String returns "allowed", "required" or "refused".
func (p Proof) String() string {
	switch p {
	case ProofAllowed:
		return "allowed"
	case ProofRequired:
		return "required"
	case ProofRefused:
		return "refused"
	default:
		return "invalid"
	}
}
