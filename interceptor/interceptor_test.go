package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor"
	"github.com/drawbridge-rpc/drawbridge/internal/exchange"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// denialFor returns a denial with a challenge that has scopes.
func denialFor(reason challenge.Reason) *challenge.DenialError {
	denial := challenge.NewDenial(reason, io.ErrUnexpectedEOF)
	denial.Challenge.Realm, denial.Challenge.Scopes = "a.v1.A", []string{"a", "b"}
	denial.Challenge.ResourceMetadataURL = "https://a.example.com"
	return denial
}

// TestDetails: a status carries one Challenge, an ErrorInfo with the same, and a
// RetryInfo where a retry may help (RPC-2, RPC-3, RPC-11). The cause is in none of
// them (RPC-7).
func TestDetails(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		denial := denialFor(reason)
		want := []proto.Message{denial.Challenge.Proto(), &errdetails.ErrorInfo{
			Reason: strings.ToUpper(reason.String()), Domain: "drawbridge.v1",
			Metadata: map[string]string{"service": "a.v1.A", "scopes": "a b", "resource_metadata": "https://a.example.com"},
		}}
		if reason == challenge.ReasonUnavailable {
			want = append(want, &errdetails.RetryInfo{RetryDelay: durationpb.New(challenge.RetryAfter)})
		}
		got := slices.Collect(interceptor.Details(denial))
		if !slices.EqualFunc(got, want, proto.Equal) {
			t.Errorf("RPC-3: %v: got %v, want %v", reason, got, want)
		}
		// A message may be changed; the denial is shared.
		got[0].(*drawbridgev1.Challenge).Scopes[0] = "evil"
		if denial.Challenge.Scopes[0] != "a" {
			t.Errorf("%v: a detail leads back into the denial", reason)
		}
	}
	denial := denialFor(challenge.ReasonUnavailable)
	for first := range interceptor.Details(denial) {
		if _, ok := first.(*drawbridgev1.Challenge); !ok {
			t.Errorf("RPC-3: the first detail is a %T", first)
		}
		break
	}
	for detail := range interceptor.Details(denial) {
		if _, ok := detail.(*errdetails.ErrorInfo); ok {
			break
		}
	}
	denial.RetryAfter = 1500 * time.Millisecond
	if got := slices.Collect(interceptor.Details(denial))[2].(*errdetails.RetryInfo).GetRetryDelay().AsDuration(); got != denial.RetryAfter {
		t.Errorf("RPC-2: got %v, want %v", got, denial.RetryAfter)
	}
}

// TestErrorInfo: the reason is a constant that clients compare with, and the
// metadata holds what there is, in a bounded size (RPC-11).
func TestErrorInfo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		reason    challenge.Reason
		challenge challenge.Challenge
		want      string
		metadata  map[string]string
	}{
		{"empty", challenge.ReasonNoCredentials, challenge.Challenge{}, "NO_CREDENTIALS", nil},
		{"step-up", challenge.ReasonInsufficientAuthentication, challenge.Challenge{ACRValues: []string{"gold"}}, "INSUFFICIENT_USER_AUTHENTICATION", nil},
		{
			"the longest values", challenge.ReasonInsufficientScope,
			challenge.Challenge{Realm: "a.v1.A", Scopes: []string{strings.Repeat("a", 1024)}}, "INSUFFICIENT_SCOPE",
			map[string]string{"service": "a.v1.A", "scopes": strings.Repeat("a", 1024)},
		},
		{
			"longer ones", challenge.ReasonInvalidToken,
			challenge.Challenge{Realm: "a.v1.A", Scopes: []string{strings.Repeat("a", 512), strings.Repeat("b", 512)}, ResourceMetadataURL: "https://" + strings.Repeat("a", 1024)},
			"INVALID_TOKEN", map[string]string{"service": "a.v1.A"},
		},
	} {
		details := slices.Collect(interceptor.Details(&challenge.DenialError{Reason: tt.reason, Challenge: tt.challenge}))
		want := &errdetails.ErrorInfo{Reason: tt.want, Domain: interceptor.ErrorDomain, Metadata: tt.metadata}
		if len(details) != 2 || !proto.Equal(details[1], want) {
			t.Errorf("RPC-11: %s: got %v, want %v", tt.name, details, want)
		}
	}
}

// TestFindDenial: the denial of an error, from this process or from the wire.
func TestFindDenial(t *testing.T) {
	t.Parallel()
	const permissionDenied = 7
	local := denialFor(challenge.ReasonForbiddenOrigin)
	detail := denialFor(challenge.ReasonInsufficientScope).Challenge.Proto()
	other := &drawbridgev1.Challenge{Realm: "b.v1.B"}
	for _, tt := range []struct {
		name    string
		err     error
		details []proto.Message
		want    *challenge.DenialError
	}{
		{"of this process", local, nil, local},
		{"of this process, wrapped", fmt.Errorf("call: %w", local), nil, local},
		{"of this process, beside a detail", local, []proto.Message{detail}, local},
		{"RPC-3 over the wire", io.EOF, []proto.Message{detail}, challenge.FromProto(permissionDenied, detail)},
		{"RPC-3 the first Challenge", io.EOF, []proto.Message{wrapperspb.String("x"), detail, other}, challenge.FromProto(permissionDenied, detail)},
		{"another detail", io.EOF, []proto.Message{wrapperspb.String("x")}, nil},
		{"a nil detail", io.EOF, []proto.Message{nil}, nil},
		{"no details", io.EOF, []proto.Message{}, nil},
		{"no error", nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := interceptor.FindDenial(tt.err, permissionDenied, slices.Values(tt.details))
			if ok != (tt.want != nil) || ok != (got != nil) {
				t.Fatalf("got %+v, %t", got, ok)
			}
			if !ok {
				return
			}
			if got.Reason != tt.want.Reason || got.Challenge.Header() != tt.want.Challenge.Header() || got.Remote != (tt.want != local) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	if got, ok := interceptor.FindDenial(io.EOF, permissionDenied, nil); ok || got != nil {
		t.Errorf("nil details: got %+v, %t", got, ok)
	}
}

// TestBridge: what an adapter records reaches the bridge around it, and nothing
// happens outside of one.
func TestBridge(t *testing.T) {
	t.Parallel()
	denial, relayed := denialFor(challenge.ReasonNoCredentials), denialFor(challenge.ReasonInsufficientScope)
	e := &exchange.Exchange{Denials: new(exchange.Recorder), Native: new(exchange.Native)}
	ctx := exchange.NewContext(t.Context(), e)

	for name, outside := range map[string]context.Context{"outside": t.Context(), "on the way to a backend": interceptor.Outgoing(ctx)} {
		interceptor.Answer(outside, "/a.v1.A/Get", denial)
		interceptor.Relay(outside, relayed, relayed)
		if procedure, _ := e.Native.Claimed(); procedure != "" || e.Denials.Denial() != nil {
			t.Errorf("%s: the bridge has %q and %v", name, procedure, e.Denials.Denial())
		}
	}
	if interceptor.Outgoing(t.Context()) != t.Context() {
		t.Error("Outgoing made a context where there is nothing to hide")
	}

	interceptor.Answer(ctx, "/a.v1.A/Get", denial)
	interceptor.Answer(ctx, "/b.v1.B/Get", nil)
	if procedure, got := e.Native.Claimed(); procedure != "/a.v1.A/Get" || got != denial {
		t.Errorf("Answer: the bridge has %q, %v", procedure, got)
	}
	err := fmt.Errorf("call: %w", relayed)
	interceptor.Relay(ctx, relayed, err)
	interceptor.Relay(ctx, denial, denial)
	if got := e.Denials.Denial(); got != relayed {
		t.Errorf("Relay: the bridge has %v", got)
	}
	if e.Denials.Dismiss(errors.Join(err)); e.Denials.Denial() != denial {
		t.Error("Relay: the bridge has another error")
	}
}
