package challenge_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// TestFromProto: a backend's requirements are kept and its text is replaced.
// Malformed values are left out (RPC-3, RPC-7).
func TestFromProto(t *testing.T) {
	t.Parallel()
	const unauthenticated, denied = 16, 7
	for _, tt := range []struct {
		name   string
		code   uint32
		detail *drawbridgev1.Challenge
		want   challenge.Challenge
	}{
		{"RPC-3 no detail", unauthenticated, nil, challenge.Challenge{Scheme: "Bearer"}},
		{"RPC-3 an empty detail", unauthenticated, &drawbridgev1.Challenge{}, challenge.Challenge{Scheme: "Bearer"}},
		{"R9449-7.1 DPoP", unauthenticated, &drawbridgev1.Challenge{Scheme: "DPoP", DpopAlgs: []string{"ES256"}}, challenge.Challenge{Scheme: "DPoP", Algs: []string{"ES256"}}},
		{"R9110-11.a DPoP in lower case", unauthenticated, &drawbridgev1.Challenge{Scheme: "dpop"}, challenge.Challenge{Scheme: "DPoP"}},
		{"R9110-11.a Bearer in capitals", unauthenticated, &drawbridgev1.Challenge{Scheme: "BEARER"}, challenge.Challenge{Scheme: "Bearer"}},
		{"R9110-11.d another scheme", unauthenticated, &drawbridgev1.Challenge{Scheme: "Basic"}, challenge.Challenge{Scheme: "Bearer"}},
		{"R9110-11.d a scheme that is none", unauthenticated, &drawbridgev1.Challenge{Scheme: "DPoP x"}, challenge.Challenge{Scheme: "Bearer"}},
		{"SEED-2 a realm", unauthenticated, &drawbridgev1.Challenge{Realm: "a.v1.A"}, challenge.Challenge{Scheme: "Bearer", Realm: "a.v1.A"}},
		{"RPC-7 a realm that is no service", unauthenticated, &drawbridgev1.Challenge{Realm: "call 0900 1234"}, challenge.Challenge{Scheme: "Bearer"}},
		{"RPC-7 a procedure for a realm", unauthenticated, &drawbridgev1.Challenge{Realm: "/a.v1.A/Get"}, challenge.Challenge{Scheme: "Bearer"}},
		{"RPC-7 a long realm", unauthenticated, &drawbridgev1.Challenge{Realm: strings.Repeat("a", 256)}, challenge.Challenge{Scheme: "Bearer"}},
		{"R6750-3.c scopes", denied, &drawbridgev1.Challenge{Scopes: []string{"a", "", "b c", `d"e`, "f\n", "ü", strings.Repeat("g", 257), "h"}}, challenge.Challenge{Scheme: "Bearer", Scopes: []string{"a", "h"}}},
		{"R9470-3 acr_values", unauthenticated, &drawbridgev1.Challenge{AcrValues: []string{"urn:gold", "a b", "\x00", "urn:silver"}}, challenge.Challenge{Scheme: "Bearer", ACRValues: []string{"urn:gold", "urn:silver"}}},
		{"R9449-7.1 algs", unauthenticated, &drawbridgev1.Challenge{DpopAlgs: []string{`"`, "ES256", "\\"}}, challenge.Challenge{Scheme: "Bearer", Algs: []string{"ES256"}}},
		{"R9470-3 max_age", unauthenticated, &drawbridgev1.Challenge{MaxAge: proto.Int64(60)}, challenge.Challenge{Scheme: "Bearer", MaxAge: seconds(60)}},
		{"R9470-3 a negative max_age", unauthenticated, &drawbridgev1.Challenge{MaxAge: proto.Int64(-60)}, challenge.Challenge{Scheme: "Bearer", MaxAge: seconds(0)}},
		{"R9470-3 insufficient_user_authentication", unauthenticated, &drawbridgev1.Challenge{Error: "insufficient_user_authentication"}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_user_authentication", ErrorDescription: saysAuthentication}},
		{"R9470-3 RPC-7 with the sentence of another error", unauthenticated, &drawbridgev1.Challenge{Error: "insufficient_user_authentication", ErrorDescription: saysInvalidToken}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_user_authentication", ErrorDescription: saysAuthentication}},
		{"R9470-3 RPC-7 with another code", denied, &drawbridgev1.Challenge{Error: "insufficient_user_authentication"}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_user_authentication", ErrorDescription: saysAuthentication}},
		{"R9449-9 another one", unauthenticated, &drawbridgev1.Challenge{Error: "use_dpop_nonce"}, challenge.Challenge{Scheme: "Bearer", Error: "use_dpop_nonce", ErrorDescription: "the DPoP proof needs the nonce of the DPoP-Nonce field"}},
		{"R9449-9 a nonce", unauthenticated, &drawbridgev1.Challenge{Scheme: "DPoP", Error: "use_dpop_nonce", DpopNonce: "n-0S6"}, challenge.Challenge{Scheme: "DPoP", Error: "use_dpop_nonce", ErrorDescription: "the DPoP proof needs the nonce of the DPoP-Nonce field", Nonce: "n-0S6"}},
		{"R9449-9 a nonce that cannot be sent", unauthenticated, &drawbridgev1.Challenge{Error: "invalid_dpop_proof", DpopNonce: "a\r\nb"}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_dpop_proof", ErrorDescription: "the DPoP proof is missing or is not accepted"}},
		{"RPC-7 an error that is a sentence", denied, &drawbridgev1.Challenge{Error: "Call us"}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_scope", ErrorDescription: saysScope}},
		{"RPC-7 an error with a digit", unauthenticated, &drawbridgev1.Challenge{Error: "error1"}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_token", ErrorDescription: saysInvalidToken}},
		{"RPC-7 a long error", unauthenticated, &drawbridgev1.Challenge{Error: strings.Repeat("a", 257)}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_token", ErrorDescription: saysInvalidToken}},
		{"RPC-7 the sentence of another reason, about the audience", denied, &drawbridgev1.Challenge{Error: "insufficient_scope", ErrorDescription: challenge.WrongAudience}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_scope", ErrorDescription: saysScope}},
		{"RPC-7 the sentence of another reason, about the path", denied, &drawbridgev1.Challenge{Error: "insufficient_scope", ErrorDescription: challenge.AmbiguousPath}, challenge.Challenge{Scheme: "Bearer", Error: "insufficient_scope", ErrorDescription: saysScope}},
		{"RPC-7 the ambiguous path", 3, &drawbridgev1.Challenge{Error: "invalid_request", ErrorDescription: challenge.AmbiguousPath}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_request", ErrorDescription: challenge.AmbiguousPath}},
		{"RPC-7 a sentence of ours", unauthenticated, &drawbridgev1.Challenge{Error: "invalid_token", ErrorDescription: saysAudience}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_token", ErrorDescription: saysAudience}},
		{"RPC-7 a sentence of theirs", unauthenticated, &drawbridgev1.Challenge{Error: "invalid_token", ErrorDescription: "key 4711 is unknown"}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_token", ErrorDescription: saysInvalidToken}},
		{"RPC-7 almost a sentence of ours", unauthenticated, &drawbridgev1.Challenge{Error: "invalid_token", ErrorDescription: saysAudience + "."}, challenge.Challenge{Scheme: "Bearer", Error: "invalid_token", ErrorDescription: saysInvalidToken}},
		{"R6750-3.1.a a sentence without an error", unauthenticated, &drawbridgev1.Challenge{ErrorDescription: saysNoCredentials}, challenge.Challenge{Scheme: "Bearer"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := challenge.FromProto(tt.code, tt.detail)
			if !reflect.DeepEqual(got.Challenge, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got.Challenge, tt.want)
			}
			if header := got.Challenge.Header(); !strings.HasPrefix(header, tt.want.Scheme+" ") {
				t.Errorf("R9110-11.d: the header is %q", header)
			}
		})
	}
}

// TestFromProtoWithoutDetail: a missing detail is like an empty one, whatever the
// code (RPC-3).
func TestFromProtoWithoutDetail(t *testing.T) {
	t.Parallel()
	for code := range uint32(20) {
		got, want := challenge.FromProto(code, nil), challenge.FromProto(code, new(drawbridgev1.Challenge))
		if !sameDenial(got, want) || got.Error() == "" {
			t.Errorf("RPC-3: code %d: got %+v, want %+v", code, got, want)
		}
	}
}

// sameDenial reports whether two denials are equal and have no cause.
func sameDenial(a, b *challenge.DenialError) bool {
	return a.Reason == b.Reason && reflect.DeepEqual(a.Challenge, b.Challenge) && a.RetryAfter == b.RetryAfter && a.Cause == nil && b.Cause == nil
}

// TestFromProtoMetadata: a URL is kept if it can be that of a metadata document
// (R9728-5.a, RPC-7).
func TestFromProtoMetadata(t *testing.T) {
	t.Parallel()
	longest := base + "/" + strings.Repeat("a", 2048-len(base)-1)
	for url, kept := range map[string]bool{
		base + wellKnown:                    true,
		base + wellKnown + "/mcp":           true,
		"http://localhost:8080" + wellKnown: true,
		longest:                             true,
		longest + "a":                       false,
		"":                                  false,
		"http://api.example.com":            false,
		"javascript:alert(1)":               false,
		"//api.example.com":                 false,
		"/.well-known":                      false,
		"https://ada:secret@evil.example":   false,
		base + "/?a=b":                      false,
		base + "/#a":                        false,
		base + "/a b":                       false,
		base + "/a\"b":                      false,
		base + "\r\nX: y":                   false,
		base + ":99999":                     false,
		base + "/..":                        false,
		"HTTPS://api.example.com":           false,
	} {
		want := ""
		if kept {
			want = url
		}
		detail := &drawbridgev1.Challenge{ResourceMetadata: url}
		if got := challenge.FromProto(16, detail).Challenge.ResourceMetadataURL; got != want {
			t.Errorf("R9728-5.a: %.80q became %.80q", url, got)
		}
	}
}

// TestFromProtoIsBounded: a backend cannot fill a header (RPC-7).
func TestFromProtoIsBounded(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("s%d", i))
	}
	got := challenge.FromProto(7, &drawbridgev1.Challenge{Scopes: many, AcrValues: many, DpopAlgs: many}).Challenge
	for name, values := range map[string][]string{"scopes": got.Scopes, "acr_values": got.ACRValues, "algs": got.Algs} {
		if !slices.Equal(values, many[:64]) {
			t.Errorf("%s: kept %d values", name, len(values))
		}
	}
	if got := challenge.FromProto(7, &drawbridgev1.Challenge{Scopes: []string{strings.Repeat("a", 256)}}).Challenge.Scopes; len(got) != 1 {
		t.Errorf("the longest scope: got %q", got)
	}
}

// TestFromProtoIsSmall: a challenge of a backend has at most 3 KiB, as a header and
// as a detail that is relayed. The values that matter most are kept, and each is
// whole.
func TestFromProtoIsSmall(t *testing.T) {
	t.Parallel()
	list := func(letter string) (values []string) {
		for range 64 {
			values = append(values, strings.Repeat(letter, 256))
		}
		return values
	}
	long := base + "/" + strings.Repeat("a", 2048-len(base)-1)
	for name, tt := range map[string]struct {
		detail             *drawbridgev1.Challenge
		scopes, acrs, algs int
	}{
		"everything":   {&drawbridgev1.Challenge{Realm: "a.v1.A", ResourceMetadata: base + wellKnown, Scopes: list("s"), AcrValues: list("c"), DpopAlgs: list("a")}, 11, 0, 0},
		"a long URL":   {&drawbridgev1.Challenge{Realm: strings.Repeat("a", 255), ResourceMetadata: long, Error: strings.Repeat("e", 256), Scopes: list("s")}, 1, 0, 0},
		"no scopes":    {&drawbridgev1.Challenge{AcrValues: list("c"), DpopAlgs: list("a")}, 0, 11, 0},
		"algs alone":   {&drawbridgev1.Challenge{DpopAlgs: list("a")}, 0, 0, 11},
		"short at end": {&drawbridgev1.Challenge{Scopes: append(list("s")[:20], "a"), AcrValues: []string{"gold"}}, 12, 1, 0},
	} {
		got := challenge.FromProto(16, tt.detail)
		c := got.Challenge
		if len(c.Scopes) != tt.scopes || len(c.ACRValues) != tt.acrs || len(c.Algs) != tt.algs {
			t.Errorf("%s: kept %d scopes, %d acr_values, %d algs", name, len(c.Scopes), len(c.ACRValues), len(c.Algs))
		}
		if c.Realm != tt.detail.GetRealm() || c.ResourceMetadataURL != tt.detail.GetResourceMetadata() {
			t.Errorf("%s: got %+v", name, c)
		}
		header := got.Response().Header().Get("WWW-Authenticate")
		parsed, err := challenge.Parse([]string{header})
		if err != nil || len(parsed) != 1 && len(c.Algs) == 0 || !slices.Equal(parsed[0].Scopes, c.Scopes) {
			t.Errorf("R9110-11.c: %s: %q is malformed: %v", name, header, err)
		}
		if size := proto.Size(c.Proto()); len(header) > 3<<10 || size > 3<<10 {
			t.Errorf("%s: the header has %d bytes, the detail %d", name, len(header), size)
		}
	}
}

// FuzzFromProto: whatever is on the wire, the header is one challenge that can be
// sent, of a scheme that is known (R6750-3.a, R6750-3.c, R9110-11.d).
func FuzzFromProto(f *testing.F) {
	f.Add(uint32(16), []byte(nil))
	for code := range uint32(17) {
		sent := full()
		wire, err := proto.Marshal(sent.Proto())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code, wire)
	}
	f.Fuzz(func(t *testing.T, code uint32, wire []byte) {
		detail := new(drawbridgev1.Challenge)
		if proto.Unmarshal(wire, detail) != nil {
			detail = nil
		}
		denial := challenge.FromProto(code, detail)
		header := denial.Challenge.Header()
		wantSendable(t, header)
		if len(header) > 3<<10 {
			t.Errorf("the header has %d bytes", len(header))
		}
		if !strings.HasPrefix(header, "Bearer ") && !strings.HasPrefix(header, "DPoP ") || !strings.Contains(header, "=") {
			t.Errorf("R6750-3.a: the header is %q", header)
		}
		if denial.Reason.Challenges() && denial.Reason != challenge.ReasonNoCredentials && detail.GetError() != "" && denial.Challenge.ErrorDescription == "" {
			t.Errorf("RPC-7: %q has no description", detail.GetError())
		}
		// A denial that was read once is read again unchanged.
		again := challenge.FromProto(code, denial.Challenge.Proto())
		if !sameDenial(again, denial) {
			t.Errorf("RPC-3: %+v became %+v", denial, again)
		}
	})
}
