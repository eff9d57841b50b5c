package authzen

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drawbridge-rpc/drawbridge/token"
)

// An outage is the error of a question that has no answer. It unwraps to
// [token.ErrUnavailable].
type outage struct {
	text   string
	cause  error // that of a context, or nil
	status int   // of the answer, if it was that
}

// maxText bounds the text of an error, in bytes. It goes into the log, once for each call
// that is denied for it.
const maxText = 300

func (o *outage) Error() string { return "the policy decision point: " + o.text }

func (o *outage) Unwrap() []error {
	if o.cause == nil {
		return []error{token.ErrUnavailable}
	}
	return []error{token.ErrUnavailable, o.cause}
}

func unavailable(text string) error { return &outage{text: printable(text)} }

// givenUp is the error of a call whose context has ended.
func givenUp(ctx context.Context) error {
	return &outage{text: "no answer before the call ended", cause: ctx.Err()}
}

// statusOutage is an answer that is no decision (AuthZEN §10.1.3). It leaves out the reason
// phrase and the body, which may repeat the question.
func statusOutage(code int) error {
	o := &outage{text: "the status of the answer is " + strconv.Itoa(code), status: code}
	switch {
	case o.isRefusal():
		o.text += ": it refuses the credentials of this server"
	case o.isRejection():
		o.text += ": it rejects the question"
	}
	return o
}

// isRefusal reports whether the policy decision point refuses the credentials of this server.
func (o *outage) isRefusal() bool {
	return o.status == http.StatusUnauthorized || o.status == http.StatusForbidden
}

// isRejection reports whether the policy decision point rejects the question. It may be one
// with an ID that only a caller would write, so it says nothing about other questions.
func (o *outage) isRejection() bool { return o.status == http.StatusBadRequest }

// ofMetadata is an error of a request for the metadata.
func ofMetadata(err error) error {
	if failed, ok := errors.AsType[*outage](err); ok {
		o := *failed
		o.text = "metadata: " + o.text
		return &o
	}
	return err
}

// transportOutage is a request that failed. It leaves out what was received.
func transportOutage(err error) error {
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return unavailable(failed.Error())
	}
	if failed, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return unavailable(failed.Error())
	}
	if failed, ok := errors.AsType[net.Error](err); ok && failed.Timeout() {
		return unavailable("no answer in time")
	}
	return unavailable("the connection failed, or the answer is malformed, or not complete")
}

// printable makes a text fit for a log.
func printable(text string) string {
	if len(text) > maxText {
		end := maxText
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
