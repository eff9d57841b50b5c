package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	return denial
}

// TestDetails: a status carries one Challenge, and a RetryInfo where a retry may
// help (RPC-2, RPC-3). The cause is in none of them (RPC-7).
func TestDetails(t *testing.T) {
	t.Parallel()
	for reason := range challenge.Reason(challenge.Reasons) {
		denial := denialFor(reason)
		want := []proto.Message{denial.Challenge.Proto()}
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
	denial.RetryAfter = 1500 * time.Millisecond
	if got := slices.Collect(interceptor.Details(denial))[1].(*errdetails.RetryInfo).GetRetryDelay().AsDuration(); got != denial.RetryAfter {
		t.Errorf("RPC-2: got %v, want %v", got, denial.RetryAfter)
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
