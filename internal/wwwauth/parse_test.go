package wwwauth_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/wwwauth"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, v := range parseVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			got, err := wwwauth.Parse(v.Values)
			if v.Reason != "" {
				wantSyntaxError(t, err, wwwauth.SyntaxError{Line: v.Line, Offset: v.Offset, Reason: v.Reason})
				if got != nil {
					t.Errorf("challenges beside an error: %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(v.Challenges) {
				t.Fatalf("got %d challenges %+v, want %d", len(got), got, len(v.Challenges))
			}
			for i, want := range v.Challenges {
				if !reflect.DeepEqual(got[i], want.challenge()) {
					t.Errorf("challenge %d: got %+v, want %+v", i, got[i], want.challenge())
				}
			}
		})
	}
}

func TestParseLimits(t *testing.T) {
	t.Parallel()
	long := `Bearer realm="` + strings.Repeat("a", wwwauth.MaxLength-len(`Bearer realm=""`)) + `"`
	params := func(n int) string {
		var b strings.Builder
		b.WriteString("Bearer ")
		for i := range n {
			b.WriteString("p" + strconv.Itoa(i) + "=v,")
		}
		return b.String()
	}
	tests := []struct {
		name   string
		values []string
		want   *wwwauth.SyntaxError
	}{
		{"as long as allowed", []string{long}, nil},
		{"one byte too long", []string{long + " "}, &wwwauth.SyntaxError{Reason: wwwauth.TooLong}},
		{"too long in sum", []string{long, ","}, &wwwauth.SyntaxError{Line: 1, Reason: wwwauth.TooLong}},
		{"as many parameters as allowed", []string{params(wwwauth.MaxParams)}, nil},
		{
			"one parameter too many",
			[]string{params(wwwauth.MaxParams + 1)},
			&wwwauth.SyntaxError{Offset: len(params(wwwauth.MaxParams)), Reason: wwwauth.TooManyParams},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := wwwauth.Parse(tt.values)
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantSyntaxError(t, err, *tt.want)
		})
	}
}

// TestParseLinearTime parses inputs that take quadratic time in a parser with
// look-ahead or back-tracking. Each is as long as Parse allows, so that such a
// parser needs seconds.
func TestParseLinearTime(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"a", "a ", "a,", "a=b,", "a a=,", "=", ",", " ", `"`, `\`, `a "`, `a b="\`, "a b= "} {
		t.Run(strconv.Quote(unit), func(t *testing.T) {
			t.Parallel()
			value := strings.Repeat(unit, wwwauth.MaxLength/len(unit))
			for _, prefix := range []string{"", "S ", `S a="`} {
				start := time.Now()
				_, _ = wwwauth.Parse([]string{prefix + value[len(prefix):]})
				if elapsed := time.Since(start); elapsed > time.Second {
					t.Errorf("prefix %q: %v", prefix, elapsed)
				}
			}
		})
	}
}

func TestSyntaxErrorNamesPlace(t *testing.T) {
	t.Parallel()
	_, err := wwwauth.Parse([]string{"Bearer", `Bearer a="secret", a="secret"`})
	const want = "www-authenticate: value 1, byte 19: second parameter of the same name"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestChallengeGet(t *testing.T) {
	t.Parallel()
	c := wwwauth.Challenge{Scheme: "Bearer", Params: []wwwauth.Param{
		{Name: "Realm", Value: "a"}, {Name: "realm", Value: "b"}, {Name: "error", Value: ""},
	}}
	tests := []struct{ id, name, want string }{
		{"R9110-11.a", "realm", "a"},
		{"R9110-11.a", "REALM", "a"},
		{"", "error", ""},
		{"", "scope", ""},
	}
	for _, tt := range tests {
		t.Run(tt.id+" "+tt.name, func(t *testing.T) {
			t.Parallel()
			if got := c.Get(tt.name); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func wantSyntaxError(t *testing.T, err error, want wwwauth.SyntaxError) {
	t.Helper()
	var got *wwwauth.SyntaxError
	if !errors.As(err, &got) {
		t.Fatalf("got error %v, want %v", err, &want)
	}
	if *got != want {
		t.Errorf("got error %+v, want %+v", *got, want)
	}
}
