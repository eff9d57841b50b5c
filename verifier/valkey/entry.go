package valkey

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// The fields of an entry of the stream. Each entry has the issuer, until, and the names of
// the cut-off. Others that a later version may add have no effect.
const (
	fieldIssuer  = "issuer"
	fieldSubject = "subject"
	fieldSession = "session"
	fieldClient  = "client"
	fieldUntil   = "until" // nanoseconds since 1970
)

// maxName bounds an issuer and a name, in bytes: they come from a token.
const maxName = token.MaxLength

// encode returns the fields of an entry, or what is wrong with the cut-off.
func encode(c *verifier.Cutoff) ([]string, error) {
	if err := check(c); err != nil {
		return nil, fmt.Errorf("valkey: Cutoff %w", err)
	}
	fields := []string{fieldIssuer, c.Issuer, fieldUntil, strconv.FormatInt(c.Until.UnixNano(), 10)}
	for _, field := range [...][2]string{{fieldSubject, c.Subject}, {fieldSession, c.SessionID}, {fieldClient, c.ClientID}} {
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

// decode returns the cut-off of an entry.
func decode(fields map[string]string) (verifier.Cutoff, error) {
	nanoseconds, err := strconv.ParseInt(fields[fieldUntil], 10, 64)
	if err != nil {
		return verifier.Cutoff{}, errors.New("has no usable until")
	}
	c := verifier.Cutoff{
		Issuer:    fields[fieldIssuer],
		Subject:   fields[fieldSubject],
		SessionID: fields[fieldSession],
		ClientID:  fields[fieldClient],
		Until:     time.Unix(0, nanoseconds),
	}
	err = check(&c)
	return c, err
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

// milliseconds returns a duration or a time since 1970 as a streamID has it.
func milliseconds(d time.Duration) uint64 { return uint64(max(0, d.Milliseconds())) }

func (i streamID) String() string {
	return strconv.FormatUint(i.milliseconds, 10) + "-" + strconv.FormatUint(i.sequence, 10)
}

func (i streamID) compare(other streamID) int {
	return cmp.Or(cmp.Compare(i.milliseconds, other.milliseconds), cmp.Compare(i.sequence, other.sequence))
}
