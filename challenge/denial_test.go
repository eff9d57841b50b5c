package challenge_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// TestNewDenial: everything that a reason determines is in the denial, and
// nothing else (R6750-3.1.a).
func TestNewDenial(t *testing.T) {
	t.Parallel()
	cause := errors.New("secret")
	for _, tt := range reasons {
		want := &challenge.DenialError{Reason: tt.reason, Cause: cause, Challenge: challenge.Challenge{Scheme: "Bearer", Error: tt.oauth}}
		if tt.oauth != "" {
			want.Challenge.ErrorDescription = tt.sentence
		}
		if tt.reason == challenge.ReasonUnavailable {
			want.RetryAfter = challenge.RetryAfter
		}
		got := challenge.NewDenial(tt.reason, cause)
		if got.Reason != want.Reason || !reflect.DeepEqual(got.Challenge, want.Challenge) || got.RetryAfter != want.RetryAfter || !errors.Is(got.Cause, cause) || got.Remote {
			t.Errorf("%v: got %+v, want %+v", tt.reason, got, want)
		}
		if got.Error() != tt.sentence {
			t.Errorf("RPC-7: %v: the text is %q", tt.reason, got)
		}
	}
}

// TestDenialErrorCause: a log finds the cause, and a caller does not read it
// (RPC-7).
func TestDenialErrorCause(t *testing.T) {
	t.Parallel()
	cause := fmt.Errorf("%w: key 1234 of https://login.example.com", token.ErrInvalid)
	for _, tt := range reasons {
		denial := &challenge.DenialError{Reason: tt.reason, Cause: cause}
		if got := denial.Error(); got != tt.sentence {
			t.Errorf("RPC-7: %v: the text is %q, want %q", tt.reason, got, tt.sentence)
		}
		wrapped := fmt.Errorf("call: %w", denial)
		if !errors.Is(wrapped, token.ErrInvalid) || !errors.Is(wrapped, cause) || errors.Is(wrapped, token.ErrUnavailable) {
			t.Errorf("%v: errors.Is does not find the cause", tt.reason)
		}
		var found *challenge.DenialError
		if !errors.As(wrapped, &found) || found != denial {
			t.Errorf("%v: errors.As does not find the denial", tt.reason)
		}
		for _, sent := range []string{denial.Error(), wrapped.Error(), denial.Challenge.Header(), denial.Response().Body(), fmt.Sprint(denial.Response().Header())} {
			if strings.Contains(sent, "1234") {
				t.Errorf("RPC-7: %v: the caller reads %q", tt.reason, sent)
			}
		}
	}
	if got := (&challenge.DenialError{Challenge: challenge.Challenge{ErrorDescription: "as sent"}}).Error(); got != "as sent" {
		t.Errorf("got %q", got)
	}
}

// TestDenialOf: an adapter always has a reason, and in doubt the server is at
// fault (RPC-7).
func TestDenialOf(t *testing.T) {
	t.Parallel()
	denial := &challenge.DenialError{Reason: challenge.ReasonNotFound}
	if got := challenge.DenialOf(fmt.Errorf("call: %w", denial)); got != denial {
		t.Errorf("got %+v", got)
	}
	for _, err := range []error{errors.New("secret"), nil} {
		got := challenge.DenialOf(err)
		if got.Reason != challenge.ReasonInternal || got.Error() != "internal error" || !errors.Is(got.Cause, err) || keepsForm(got) {
			t.Errorf("RPC-7: %v: got %+v", err, got)
		}
	}
}
