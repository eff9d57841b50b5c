package connectauth_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/interceptor/connectauth"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// TestFromError: denials are found wherever they were made, and nothing else is
// taken for one (RPC-3).
func TestFromError(t *testing.T) {
	t.Parallel()
	const none = challenge.Reason(255)
	detail := &drawbridgev1.Challenge{Scheme: "Bearer", Realm: "realm", Scopes: []string{"a"}, Error: "invalid_token"}
	w := newWorld(t)
	_, made := w.Authorize(t.Context(), drawbridge.Request{Procedure: "/a.v1.A/B"})
	for _, row := range []struct {
		name string
		err  error
		want challenge.Reason
	}{
		{"nil", nil, none},
		{"foreign", io.ErrUnexpectedEOF, none},
		{"of Connect without details", connect.NewError(connect.CodeUnauthenticated, io.EOF), none},
		{"of Connect with another detail", wire(connect.CodeUnauthenticated, wrapperspb.String("a")), none},
		{"of Connect with an unknown detail", withDetail(connect.CodeUnauthenticated, &anypb.Any{TypeUrl: "type.googleapis.com/a.v1.Unknown", Value: []byte("\xff")}), none},
		{"of Connect with a broken detail", withDetail(connect.CodeUnauthenticated, &anypb.Any{TypeUrl: "type.googleapis.com/drawbridge.v1.Challenge", Value: []byte("\xff")}), none},
		{"in this process", made, challenge.ReasonNoCredentials},
		{"in this process, wrapped", fmt.Errorf("call: %w", made), challenge.ReasonNoCredentials},
		{"in this process, as an error of Connect", connect.NewError(connect.CodeUnauthenticated, made), challenge.ReasonNoCredentials},
		{"from the wire", wire(connect.CodeUnauthenticated, detail), challenge.ReasonInvalidToken},
		{"from the wire, wrapped", fmt.Errorf("call: %w", wire(connect.CodeUnauthenticated, detail)), challenge.ReasonInvalidToken},
		{"from the wire, joined", errors.Join(io.EOF, wire(connect.CodePermissionDenied, detail)), challenge.ReasonInsufficientScope},
		{"from the wire, second detail", wire(connect.CodeUnavailable, wrapperspb.String("a"), detail), challenge.ReasonUnavailable},
		{"from the wire, no error", wire(connect.CodeUnauthenticated, &drawbridgev1.Challenge{Scheme: "Bearer"}), challenge.ReasonNoCredentials},
		{"from the wire, a code of no denial", wire(connect.CodeAborted, detail), challenge.ReasonInternal},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			denial, ok := connectauth.FromError(row.err)
			if ok != (row.want != none) || ok && denial.Reason != row.want || !ok && denial != nil {
				t.Errorf("got %v, %t", denial, ok)
			}
		})
	}
	// RPC-7: the sentence is ours.
	want := &drawbridgev1.Challenge{Scheme: "Bearer", Realm: "realm", Scopes: []string{"a"}, Error: "invalid_token"}
	want.ErrorDescription = "the access token is malformed, expired, revoked or not from a trusted issuer"
	for _, description := range []string{"", "kid-4711 is unknown", want.GetErrorDescription()} {
		detail.ErrorDescription = description
		denial, _ := connectauth.FromError(wire(connect.CodeUnauthenticated, detail))
		if got := denial.Challenge.Proto(); !proto.Equal(got, want) {
			t.Errorf("RPC-3, RPC-7: got %v, want %v", got, want)
		}
	}
}

func wire(code connect.Code, details ...proto.Message) error {
	err := connect.NewError(code, errors.New("refused"))
	for _, message := range details {
		detail, detailErr := connect.NewErrorDetail(message)
		if detailErr != nil {
			panic(detailErr)
		}
		err.AddDetail(detail)
	}
	return err
}

func withDetail(code connect.Code, value *anypb.Any) error {
	return wire(code, value)
}
