package verifier

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

const (
	// latest is the last second that a NumericDate may name,
	// 9999-12-31T23:59:59Z. A later date is a mistake, or an attack on the
	// arithmetic.
	latest = 253402300799
	// maxDate bounds a NumericDate in bytes, as it is written.
	maxDate = 64
)

// A period is the time in which a token may be used, by its claims.
type period struct{ exp, nbf, iat date }

// A date is the value of a claim that is a NumericDate (RFC 7519 §2): seconds
// since 1970, which may have a fraction.
type date struct {
	at      time.Time
	present bool
}

// period returns the dates in claims that were decoded.
func (o object) period() (p period, err error) {
	for _, claim := range [...]struct {
		name string
		at   *date
	}{{"exp", &p.exp}, {"nbf", &p.nbf}, {"iat", &p.iat}} {
		if !o.has(claim.name) {
			continue
		}
		seconds, ok := o[claim.name].(float64)
		if *claim.at, err = newDate(claim.name, seconds, ok); err != nil {
			return period{}, err
		}
	}
	return p, nil
}

// scanDate returns the date in a claim that was not decoded. Nothing is written if
// it is absent.
func scanDate(name string, written []byte) (date, error) {
	if len(written) == 0 {
		return date{}, nil
	}
	var seconds float64
	err := strconv.ErrSyntax
	if len(written) <= maxDate {
		seconds, err = strconv.ParseFloat(string(written), 64)
	}
	return newDate(name, seconds, err == nil)
}

func newDate(name string, seconds float64, ok bool) (date, error) {
	if isDate := seconds >= 0 && seconds <= latest; !ok || !isDate { // not so for NaN
		return date{}, fmt.Errorf("%s: not a NumericDate", name)
	}
	whole, fraction := math.Modf(seconds)
	return date{time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC(), true}, nil
}

// A periodError says that a token has expired, or that another date of it is in
// the future.
type periodError struct {
	claim  string
	at     time.Time
	now    time.Time
	leeway time.Duration
}

func (e *periodError) Error() string {
	at, past := e.at.Format(time.RFC3339), e.now.Sub(e.at).Round(time.Second)
	if e.claim == "exp" {
		return fmt.Sprintf("expired at %s, %s ago (leeway %s)", at, past, e.leeway)
	}
	return fmt.Sprintf("%s is %s, %s in the future (leeway %s)", e.claim, at, -past, e.leeway)
}
