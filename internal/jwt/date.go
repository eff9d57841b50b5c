package jwt

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

// A Period is the time in which a token may be used, by its claims.
type Period struct{ Expiry, NotBefore, IssuedAt Date }

// A Date is the value of a claim that is a NumericDate (RFC 7519 §2): seconds
// since 1970, which may have a fraction.
type Date struct {
	At      time.Time
	Present bool
}

// Period returns the dates in claims that were decoded.
func (o Object) Period() (p Period, err error) {
	for _, claim := range [...]struct {
		name string
		at   *Date
	}{{"exp", &p.Expiry}, {"nbf", &p.NotBefore}, {"iat", &p.IssuedAt}} {
		if *claim.at, err = o.Date(claim.name); err != nil {
			return Period{}, err
		}
	}
	return p, nil
}

// Date returns a member that must be a date, if it is present.
func (o Object) Date(name string) (Date, error) {
	if !o.Has(name) {
		return Date{}, nil
	}
	seconds, ok := o[name].(float64)
	return newDate(name, seconds, ok)
}

// ScanDate returns the date in a claim that was not decoded. Nothing is written if
// it is absent.
func ScanDate(name string, written []byte) (Date, error) {
	if len(written) == 0 {
		return Date{}, nil
	}
	var seconds float64
	err := strconv.ErrSyntax
	if len(written) <= maxDate {
		seconds, err = strconv.ParseFloat(string(written), 64)
	}
	return newDate(name, seconds, err == nil)
}

func newDate(name string, seconds float64, ok bool) (Date, error) {
	if isDate := seconds >= 0 && seconds <= latest; !ok || !isDate { // not so for NaN
		return Date{}, fmt.Errorf("%s: not a NumericDate", name)
	}
	whole, fraction := math.Modf(seconds)
	return Date{time.Unix(int64(whole), int64(fraction*float64(time.Second))).UTC(), true}, nil
}
