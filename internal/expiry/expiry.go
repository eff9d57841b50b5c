// Package expiry marks verifiers that check the expiry of a token themselves, so
// that the clock is read once for each call.
package expiry

// A Checker compares the expiry of a token with the clock whenever it returns
// the facts of one.
type Checker interface {
	// ChecksExpiry returns the receiver. A type that embeds a Checker has the
	// method too, but may cache what it returns; the result gives it away.
	ChecksExpiry() any
}

// Checked reports whether a verifier checks the expiry itself.
func Checked(verifier any) bool {
	checker, ok := verifier.(Checker)
	return ok && checker.ChecksExpiry() == verifier
}
