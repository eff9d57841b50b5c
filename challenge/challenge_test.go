package challenge_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

func TestChallengeHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		challenge challenge.Challenge
		want      string
	}{
		{"R9110-11.b realm is quoted", challenge.Challenge{Scheme: "Bearer", Realm: "a.v1.A"}, `Bearer realm="a.v1.A"`},
		{"R9728-5.a R9470-3 R9449-7.1 everything", full(), `DPoP realm="a.v1.A", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="b a", ` +
			`error="insufficient_user_authentication", error_description="come back stronger", acr_values="urn:gold urn:silver", max_age="300", algs="ES256 EdDSA"`},
		{"R9470-3 malformed acr_values", challenge.Challenge{ACRValues: []string{"a", "", "b c", "d"}}, `Bearer acr_values="a d"`},
		{"R9449-7.1 malformed algs", challenge.Challenge{Algs: []string{" ", "ES256", `"`}}, `Bearer realm="rpc", DPoP algs="ES256"`},
		{"R9449-7.1 beside Bearer", challenge.Challenge{Realm: "x", Scopes: []string{"a"}, Algs: []string{"ES256", "EdDSA"}}, `Bearer realm="x", scope="a", DPoP realm="x", scope="a", algs="ES256 EdDSA"`},
		{"R9449-7.1 DPoP alone", challenge.Challenge{Scheme: "DPoP", Realm: "x", Algs: []string{"ES256"}, Nonce: "n"}, `DPoP realm="x", algs="ES256"`},
		{"R9470-3 a max_age of zero", challenge.Challenge{Scheme: "Bearer", MaxAge: seconds(0)}, `Bearer max_age="0"`},
		{"R9470-3 whole seconds", challenge.Challenge{Scheme: "Bearer", MaxAge: func() *time.Duration { d := 1999 * time.Millisecond; return &d }()}, `Bearer max_age="1"`},
		{"R6750-3.c not a scope", challenge.Challenge{Scheme: "Bearer", Scopes: []string{"a", "", "b c", `d"e`, "f\n", "ü", "g"}}, `Bearer scope="a g"`},
		{"R6750-3.c no scope is left", challenge.Challenge{Scheme: "Bearer", Realm: "x", Scopes: []string{" ", "\x7f"}}, `Bearer realm="x"`},
		{"R6750-3.c a description", challenge.Challenge{Scheme: "Bearer", ErrorDescription: "say \"no\"\\\r\nX: ÿ\t"}, `Bearer error_description="say 'no'?  X: ? "`},
		{"R6750-3.c an error", challenge.Challenge{Scheme: "Bearer", Error: "a\"b\\c\x00"}, `Bearer error="a'b?c "`},
		{"R9110-11.c a realm is escaped", challenge.Challenge{Scheme: "Bearer", Realm: `a"b\c`}, `Bearer realm="a\"b\\c"`},
		{"R9110-11.c a realm cannot end the line", challenge.Challenge{Scheme: "Bearer", Realm: "a\r\nSet-Cookie: b"}, `Bearer realm="a  Set-Cookie: b"`},
		{"a scheme that is none", challenge.Challenge{Scheme: "Bearer realm=x,", Realm: "a"}, ""},
		{"R6750-3.a R9110-11.d without a scheme", challenge.Challenge{Realm: "a.v1.A"}, `Bearer realm="a.v1.A"`},
		{"R6750-3.a R9110-11.d the zero challenge has a parameter", challenge.Challenge{}, `Bearer realm="rpc"`},
		{"R6750-3.a R9110-11.d a scheme alone", challenge.Challenge{Scheme: "DPoP"}, `DPoP realm="rpc"`},
		{"R6750-3.a R6750-3.c a parameter, though no scope is left", challenge.Challenge{Scopes: []string{" ", "\x7f"}}, `Bearer realm="rpc"`},
		{"R9470-3 a negative max_age", challenge.Challenge{Scheme: "Bearer", MaxAge: seconds(-300)}, `Bearer max_age="0"`},
		{"R9470-3 the most negative max_age", challenge.Challenge{Scheme: "Bearer", MaxAge: new(time.Duration(-1 << 63))}, `Bearer max_age="0"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.challenge.Header()
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			wantSendable(t, got)
		})
	}
}

// TestHostileChallenge: whatever a backend sends, the header is one challenge with
// each parameter at most once (R6750-3.b, R6750-3.c).
func TestHostileChallenge(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{`", error="x`, "\r\nSet-Cookie: a=b", "a, Basic realm=x", "\x00\x7f", "ünïcödé", "\xff\xfe", `\`, `"`, "\u2028", strings.Repeat(`"`, 1<<12)} {
		detail := &drawbridgev1.Challenge{
			Scheme: hostile, Realm: hostile, ResourceMetadata: hostile, Scopes: []string{hostile, "good"}, Error: hostile,
			ErrorDescription: hostile, AcrValues: []string{hostile}, MaxAge: proto.Int64(-1), DpopAlgs: []string{hostile},
		}
		for code := range uint32(18) {
			got := challenge.FromProto(code, detail).Challenge
			header := got.Header()
			wantSendable(t, header)
			parsed, err := wwwauth.Parse([]string{header})
			if err != nil || len(parsed) != 1 || parsed[0].Scheme != "Bearer" {
				t.Fatalf("%.40q: %.80s is %d challenges, %v", hostile, header, len(parsed), err)
			}
			for _, name := range []string{"error", "error_description", "scope"} {
				if strings.ContainsAny(parsed[0].Get(name), "\"\\") {
					t.Errorf("R6750-3.c: %s is %.80q", name, parsed[0].Get(name))
				}
			}
			if !strings.Contains(" "+parsed[0].Get("scope")+" ", " good ") || parsed[0].Get("max_age") != "0" {
				t.Errorf("%.40q: got %.80s", hostile, header)
			}
			if got.Realm != "" || got.ResourceMetadataURL != "" {
				t.Errorf("RPC-7: %.40q: got %+v", hostile, got)
			}
			want := challenge.FromProto(code, &drawbridgev1.Challenge{Error: "x"}).Challenge.ErrorDescription
			if got.Error == "" { // Reasons without an error have no description either.
				want = ""
			}
			if strings.Contains(got.Error, hostile) || got.ErrorDescription != want {
				t.Errorf("RPC-7: %.40q: got %.80q, %.80q", hostile, got.Error, got.ErrorDescription)
			}
		}
	}
}

// TestChallengeOverWire: a detail is read back as it was written (RPC-3), except
// for descriptions that are not ours (RPC-7).
func TestChallengeOverWire(t *testing.T) {
	t.Parallel()
	ours, fresh, past, theirs := full(), full(), full(), full()
	ours.Error, ours.ErrorDescription = "invalid_token", challenge.WrongAudience
	fresh.MaxAge, past.MaxAge = seconds(0), seconds(-1)
	replaced := func(c challenge.Challenge) challenge.Challenge {
		c.ErrorDescription = saysAuthentication
		return c
	}
	bare := challenge.Challenge{Scheme: "Bearer", Realm: "a.v1.A", ResourceMetadataURL: base + wellKnown}
	for name, tt := range map[string]struct{ sent, want challenge.Challenge }{
		"R9470-3 everything":            {ours, ours},
		"RPC-7 a sentence of theirs":    {theirs, replaced(theirs)},
		"R9470-3 a max_age of zero":     {fresh, replaced(fresh)},
		"R9470-3 a max_age in the past": {past, replaced(fresh)},
		"SEED-2 without credentials":    {bare, bare},
		"R6750-3.a nothing":             {challenge.Challenge{}, challenge.Challenge{Scheme: "Bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire, err := proto.Marshal(tt.sent.Proto())
			if err != nil {
				t.Fatal(err)
			}
			detail := new(drawbridgev1.Challenge)
			if err := proto.Unmarshal(wire, detail); err != nil {
				t.Fatal(err)
			}
			got := challenge.FromProto(16, detail).Challenge
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if got.Header() != tt.want.Header() {
				t.Errorf("got  %s\nwant %s", got.Header(), tt.want.Header())
			}
		})
	}
}

// TestProtoIsCopied: neither end shares memory with the other.
func TestProtoIsCopied(t *testing.T) {
	t.Parallel()
	sent := full()
	detail := sent.Proto()
	detail.Scopes[0], detail.AcrValues[0], detail.DpopAlgs[0], *detail.MaxAge = "x", "x", "x", 1
	if !reflect.DeepEqual(sent, full()) {
		t.Errorf("Proto shares memory: %+v", sent)
	}
	detail = sent.Proto()
	got, want := challenge.FromProto(16, detail), challenge.FromProto(16, sent.Proto())
	detail.Scopes[0], detail.AcrValues[0], detail.DpopAlgs[0], *detail.MaxAge = "x", "x", "x", 1
	if !reflect.DeepEqual(got.Challenge, want.Challenge) || !reflect.DeepEqual(got.Challenge.Scopes, full().Scopes) {
		t.Errorf("FromProto shares memory: %+v", got.Challenge)
	}
}

// TestMaxAgeFromProto: a number that does not fit becomes the nearest that does.
func TestMaxAgeFromProto(t *testing.T) {
	t.Parallel()
	const longest = (1<<63 - 1) / int64(time.Second)
	for sent, want := range map[int64]int64{-1 << 63: 0, -1: 0, 0: 0, 1: 1, longest: longest, longest + 1: longest, 1<<63 - 1: longest} {
		got := challenge.FromProto(16, &drawbridgev1.Challenge{MaxAge: &sent}).Challenge.MaxAge
		if got == nil || *got != time.Duration(want)*time.Second {
			t.Errorf("%d: got %v, want %ds", sent, got, want)
		}
	}
	if got := challenge.FromProto(16, new(drawbridgev1.Challenge)).Challenge.MaxAge; got != nil {
		t.Errorf("absent: got %v", *got)
	}
}
