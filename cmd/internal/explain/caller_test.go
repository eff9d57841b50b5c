package explain_test

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/explain"
)

// TestFactsAreThoseOfTheVerifier has the claims of a token read here, and the token verified
// as a server does.
func TestFactsAreThoseOfTheVerifier(t *testing.T) {
	t.Parallel()
	issuer := authtest.NewIssuer(t)
	for _, tt := range []struct {
		name   string
		claims map[string]any
		isBad  bool
	}{
		{"user", map[string]any{"scope": "a b"}, false},
		{"client", map[string]any{"sub": "client-1"}, false},
		{"scp", map[string]any{"scp": []string{"a", "b"}}, false},
		{"scope before scp", map[string]any{"scope": "a", "scp": []string{"b"}}, false},
		{"scopes that are none", map[string]any{"scope": "a  \"b\" c"}, false},
		{"azp", map[string]any{"client_id": authtest.Omit, "azp": "web"}, false},
		{"cid", map[string]any{"client_id": authtest.Omit, "cid": "web"}, false},
		{"appid", map[string]any{"client_id": "", "cid": 1, "appid": "web"}, false},
		{"no client", map[string]any{"client_id": authtest.Omit}, false},
		{"several audiences", map[string]any{"aud": []string{"https://a.example", "https://b.example"}}, false},
		{"acr", map[string]any{"acr": "gold", "auth_time": 1767225600}, false},
		{"acr that is none", map[string]any{"acr": 1, "auth_time": "now"}, false},
		{"before 1970", map[string]any{"auth_time": -1}, false},
		{"year 10000", map[string]any{"auth_time": 253402300800}, false},
		{"fraction", map[string]any{"auth_time": 1767225600.5}, false},
		{"actors", map[string]any{"act": map[string]any{"sub": "b", "iss": "https://b.example", "act": map[string]any{"client_id": "c"}}}, false},
		{"cnf", map[string]any{"cnf": map[string]any{"jkt": "key"}}, false},
		{"empty cnf", map[string]any{"cnf": map[string]any{}}, false},
		{"kept", map[string]any{"tenant": "acme", "level": 3, "roles": []any{"a", true}, "deep": map[string]any{"x": nil}}, false},
		{"sid", map[string]any{"sid": "session"}, false},

		{"sub", map[string]any{"sub": 1}, true},
		{"client_id", map[string]any{"client_id": 1}, true},
		{"aud", map[string]any{"aud": 1}, true},
		{"aud with a number", map[string]any{"aud": []any{"a", 1}}, true},
		{"scope", map[string]any{"scope": 1}, true},
		{"scp with a number", map[string]any{"scp": []any{"a", 1}}, true},
		{"act", map[string]any{"act": "b"}, true},
		{"act without anybody", map[string]any{"act": map[string]any{"iss": "https://b.example"}}, true},
		{"act with a number", map[string]any{"act": map[string]any{"sub": 1}}, true},
		{"act of a number", map[string]any{"act": map[string]any{"iss": 1}}, true},
		{"act with a bad client", map[string]any{"act": map[string]any{"client_id": 1}}, true},
		{"act too deep", map[string]any{"act": nest(9)}, true},
		{"cnf that is none", map[string]any{"cnf": "key"}, true},
		{"sid with a number", map[string]any{"sid": 1}, true},
		{"iat", map[string]any{"iat": "now"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := issuer.Mint(authtest.Token{Audience: []string{"https://api.example.com"}, Claims: tt.claims})
			payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
			var names map[string]any
			if err := json.Unmarshal(payload, &names); err != nil {
				t.Fatal(err)
			}
			var kept []string
			for name := range names {
				kept = append(kept, name)
			}
			slices.Sort(kept)
			v, err := verifier.New(verifier.Config{JWT: []verifier.JWTConfig{{Issuer: issuer.URL, Mapping: verifier.Mapping{Claims: kept}}}})
			if err != nil {
				t.Fatal(err)
			}
			want, verifyErr := v.VerifyToken(t.Context(), raw, nil)
			caller, err := explain.FromClaims(payload, time.Now())
			if (err != nil) != tt.isBad || (verifyErr != nil) != tt.isBad {
				t.Fatalf("read: %v, verified: %v", err, verifyErr)
			}
			if tt.isBad {
				return
			}
			if len(caller.Notes) > 0 {
				t.Errorf("the notes are %q", caller.Notes)
			}
			got := caller.Info
			got.Expiry, want.Expiry = time.Time{}, time.Time{} // A verifier adds its leeway.
			if len(got.Scopes)+len(want.Scopes) == 0 {
				got.Scopes, want.Scopes = nil, nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read\n%+v\nverified\n%+v", got, want)
			}
		})
	}
}

func nest(depth int) map[string]any {
	act := map[string]any{"sub": "a"}
	for range depth {
		act = map[string]any{"sub": "a", "act": act}
	}
	return act
}

func TestClaimsErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, claims, want string }{
		{"nothing", "", "is not a JSON object of claims"},
		{"null", "null", "is not a JSON object of claims"},
		{"array", "[]", "is not a JSON object of claims"},
		{"twice", `{"sub": "a", "sub": "b"}`, "is not a JSON object of claims"},
		{"token", "eyJhbGciOiJub25lIn0.e30.x", "is a token, not its claims"},
		{"long", `{"sub": "` + strings.Repeat("a", 1<<20) + `"}`, "is larger than"},
		{"date", `{"exp": 1e30}`, "exp: must be a number of seconds"},
		{"issuer", `{"iss": 1}`, "iss: must be a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := explain.FromClaims([]byte(tt.claims), time.Now()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	caller, err := explain.FromScopes(" a  b ")
	if err != nil || !slices.Equal(caller.Info.Scopes, []string{"a", "b"}) || caller.Info.Party != token.PartyUnknown {
		t.Errorf("%+v, %v", caller.Info, err)
	}
	if _, err := explain.FromScopes("a b\\c"); err == nil {
		t.Error("a scope that is none is accepted")
	}
}

// FuzzClaims makes sure that whatever is read as claims is read without a panic, and that
// the same bytes give the same facts.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"iss": "https://login.example.com", "sub": "alice", "client_id": "web", "aud": ["a"], "scope": "a b", "exp": 1}`,
		`{"scp": ["a", "b"], "act": {"sub": "b", "act": {"sub": "c"}}, "cnf": {"jkt": "k"}, "auth_time": 1.5}`,
		`a.b.c`, `{"aud": 1}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		now := time.Unix(0, 0)
		first, err := explain.FromClaims(data, now)
		if err != nil {
			return
		}
		second, err := explain.FromClaims(data, now)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%+v, then %+v, %v", first, second, err)
		}
	})
}
