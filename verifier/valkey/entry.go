package valkey

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// The fields of an entry of the stream. Each entry has the issuer, until, the lifetime, and
// the names of the cut-off. Others that a later version may add have no effect.
const (
	fieldIssuer   = "issuer"
	fieldSubject  = "subject"
	fieldSession  = "session"
	fieldClient   = "client"
	fieldUntil    = "until"    // nanoseconds since 1970
	fieldLifetime = "lifetime" // seconds
)

// maxName bounds an issuer and a name, in bytes: they come from a token.
const maxName = token.MaxLength

// An entry is what the stream has of a cut-off.
type entry struct {
	verifier.Cutoff

	// lifetime is that of the replica which recorded it. Zero if the entry has none that
	// is usable.
	lifetime time.Duration
}

// encode returns the fields of an entry, or what is wrong with the cut-off.
func encode(e *entry) ([]string, error) {
	if err := check(&e.Cutoff); err != nil {
		return nil, fmt.Errorf("valkey: Cutoff %w", err)
	}
	seconds := int64((e.lifetime + time.Second - 1) / time.Second)
	fields := []string{
		fieldIssuer, e.Issuer,
		fieldUntil, strconv.FormatInt(e.Until.UnixNano(), 10),
		fieldLifetime, strconv.FormatInt(seconds, 10),
	}
	for _, field := range [...][2]string{{fieldSubject, e.Subject}, {fieldSession, e.SessionID}, {fieldClient, e.ClientID}} {
		if field[1] != "" {
			fields = append(fields, field[0], field[1])
		}
	}
	return fields, nil
}

// check checks what does not depend on the time.
func check(c *verifier.Cutoff) error {
	isOfUser := c.Subject != "" || c.SessionID != ""
	year := c.Until.UTC().Year()
	switch {
	case c.Issuer == "":
		return errors.New("has no Issuer")
	case isOfUser == (c.ClientID != ""):
		return errors.New("needs a Subject, a SessionID, both, or a ClientID alone")
	case max(len(c.Issuer), len(c.Subject), len(c.SessionID), len(c.ClientID)) > maxName:
		return fmt.Errorf("has an Issuer or a name of more than %d bytes", maxName)
	case year < 1970 || year > 2200:
		return errors.New("has an Until before 1970 or after 2200")
	default:
		return nil
	}
}

// decode returns an entry from its fields. A lifetime that is not usable does not hide the
// cut-off.
func decode(fields map[string]string) (entry, error) {
	nanoseconds, err := strconv.ParseInt(fields[fieldUntil], 10, 64)
	if err != nil {
		return entry{}, errors.New("has no usable until")
	}
	e := entry{Cutoff: verifier.Cutoff{
		Issuer:    fields[fieldIssuer],
		Subject:   fields[fieldSubject],
		SessionID: fields[fieldSession],
		ClientID:  fields[fieldClient],
		Until:     time.Unix(0, nanoseconds),
	}}
	const most = int64(maxCutoffLifetime / time.Second)
	if seconds, err := strconv.ParseInt(fields[fieldLifetime], 10, 64); err == nil && seconds > 0 && seconds <= most {
		e.lifetime = time.Duration(seconds) * time.Second
	}
	err = check(&e.Cutoff)
	return e, err
}

// A streamID identifies an entry of the stream. It has the time of the server, in
// milliseconds since 1970.
type streamID struct{ milliseconds, sequence uint64 }

func parseStreamID(text string) (streamID, error) {
	before, after, ok := strings.Cut(text, "-")
	milliseconds, err := strconv.ParseUint(before, 10, 64)
	sequence, err2 := strconv.ParseUint(after, 10, 64)
	if !ok || err != nil || err2 != nil {
		return streamID{}, fmt.Errorf("%.64q is not the identifier of an entry", text)
	}
	return streamID{milliseconds, sequence}, nil
}

// time returns the time of the server, or one in the far future if that has none.
func (i streamID) time() time.Time { return time.UnixMilli(int64(min(i.milliseconds, math.MaxInt64))) }

func (i streamID) String() string {
	return strconv.FormatUint(i.milliseconds, 10) + "-" + strconv.FormatUint(i.sequence, 10)
}

func (i streamID) compare(other streamID) int {
	return cmp.Or(cmp.Compare(i.milliseconds, other.milliseconds), cmp.Compare(i.sequence, other.sequence))
}
