package verifier_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// postForm sends a form to a handler, and returns the status.
func postForm(t *testing.T, h http.Handler, form url.Values) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Header().Get("Cache-Control") != "no-store" || (w.Code == http.StatusServiceUnavailable) != (w.Header().Get("Retry-After") != "") {
		t.Errorf("got %d with %v", w.Code, w.Header())
	}
	return w.Code
}

// TestLogout: a good logout token cuts off what it names, once, and no other does.
func TestLogout(t *testing.T) {
	type claims = map[string]any
	events := func(name string, value any) claims { return claims{"events": claims{name: value}} }
	const logout = "http://schemas.openid.net/event/backchannel-logout"
	for _, row := range []struct {
		name   string
		token  authtest.Token // Claims and Header alter a good one with a sub
		status int
	}{
		{"sub", authtest.Token{}, 200},
		{"sid", authtest.Token{Claims: claims{"sub": authtest.Omit, "sid": "s-1"}}, 200},
		{"sid and sub", authtest.Token{Claims: claims{"sid": "s-1"}}, 200},
		{"one of several in aud", authtest.Token{Claims: claims{"aud": []string{"x", "client-1"}}}, 200},
		{"the whole media type", authtest.Token{Header: claims{"typ": "application/logout+jwt"}}, 200},
		{"neither sub nor sid", authtest.Token{Claims: claims{"sub": authtest.Omit}}, 400},
		{"another client", authtest.Token{Claims: claims{"aud": "client-2"}}, 400},
		{"no aud", authtest.Token{Claims: claims{"aud": authtest.Omit}}, 400},
		{"nonce", authtest.Token{Claims: claims{"nonce": "n"}}, 400},
		{"no events", authtest.Token{Claims: claims{"events": authtest.Omit}}, 400},
		{"another event", authtest.Token{Claims: events("http://schemas.openid.net/event/other", claims{})}, 400},
		{"an event that is no object", authtest.Token{Claims: events(logout, true)}, 400},
		{"events that are no object", authtest.Token{Claims: claims{"events": []string{logout}}}, 400},
		{"no jti", authtest.Token{Claims: claims{"jti": authtest.Omit}}, 400},
		{"jti a number", authtest.Token{Claims: claims{"jti": 1}}, 400},
		{"sid a number", authtest.Token{Claims: claims{"sid": 1}}, 400},
		{"no iat", authtest.Token{Claims: claims{"iat": authtest.Omit}}, 400},
		{"no exp, as of Ory Hydra", authtest.Token{Claims: claims{"exp": authtest.Omit}}, 200},
		{"11 minutes old, and good for a year", authtest.Token{Claims: claims{"iat": int64(-660), "exp": 4_000_000_000}}, 400},
		{"no exp, and 3 minutes old", authtest.Token{Claims: claims{"exp": authtest.Omit, "iat": int64(-180)}}, 400},
		{"expired", authtest.Token{Claims: claims{"exp": 1}}, 400},
		{"another issuer", authtest.Token{Claims: claims{"iss": "https://evil.example.com"}}, 400},
		{"an access token", authtest.Token{Header: claims{"typ": "at+jwt"}}, 400},
		{"typ JWT", authtest.Token{Header: claims{"typ": "JWT"}}, 400},
		{"no typ", authtest.Token{Header: claims{"typ": authtest.Omit}}, 400},
		{"alg none", authtest.Token{Algorithm: "none"}, 400},
		{"HS256", authtest.Token{Algorithm: "HS256"}, 400},
		{"forged", authtest.Token{Forged: true}, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler)})
			handler, err := f.verifier.LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"client-1"}})
			if err != nil {
				t.Fatal(err)
			}
			known := f.mint(claim("sid", "s-1"))
			f.accepts(t, known)
			row.token.Shape, row.token.IssuedAt = authtest.ShapeLogoutToken, f.Now()
			if row.token.Claims == nil {
				row.token.Claims = claims{}
			}
			if _, ok := row.token.Claims["sub"]; !ok {
				row.token.Claims["sub"] = "user-1"
			}
			if age, ok := row.token.Claims["iat"].(int64); ok {
				row.token.Claims["iat"] = f.Now().Unix() + age
			}
			form := url.Values{"logout_token": {f.issuer.Mint(row.token)}}
			if got := postForm(t, handler, form); got != row.status {
				t.Fatalf("got %d, want %d", got, row.status)
			}
			class := error(nil)
			if row.status == 200 {
				class = token.ErrInvalid
			}
			f.refuses(t, known, class)
			if got := postForm(t, handler, form); got != 400 {
				t.Errorf("again: got %d", got)
			}
		})
	}
}

// TestLogoutRequests: what is no logout request, and what can be tried again.
func TestLogoutRequests(t *testing.T) {
	f := newFixture(t, verifier.Config{MaxCutoffs: 1, Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{AcceptTypeJWT: true}}})
	handler, err := f.verifier.LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"client-1"}})
	if err != nil {
		t.Fatal(err)
	}
	mint := func(subject string) string {
		return f.issuer.Mint(authtest.Token{Shape: authtest.ShapeLogoutToken, IssuedAt: f.Now(), Lifetime: time.Hour, Claims: map[string]any{"sub": subject}, Header: map[string]any{"typ": "JWT"}})
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/logout?logout_token="+mint("a"), nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: got %d", w.Code)
	}
	for name, form := range map[string]url.Values{
		"nothing": {}, "two": {"logout_token": {mint("a"), mint("b")}}, "garbage": {"logout_token": {"x"}},
		"a long token": {"logout_token": {strings.Repeat("x", token.MaxLength+1)}}, "a long form": {"logout_token": {strings.Repeat("x", 1<<17)}},
		"an access token": {"logout_token": {f.mint()}},
	} {
		if got := postForm(t, handler, form); got != http.StatusBadRequest {
			t.Errorf("%s: got %d", name, got)
		}
	}
	f.issuer.Down()
	down := url.Values{"logout_token": {mint("user-1")}}
	if got := postForm(t, handler, down); got != http.StatusServiceUnavailable {
		t.Errorf("down: got %d", got)
	}
	f.issuer.Up()
	f.Advance(coolDown)
	if got := postForm(t, handler, down); got != http.StatusOK {
		t.Errorf("again: got %d", got)
	}
	full := url.Values{"logout_token": {mint("user-2")}}
	for range 2 { // It is not used up.
		if got := postForm(t, handler, full); got != http.StatusServiceUnavailable {
			t.Errorf("full: got %d", got)
		}
	}
	for _, clients := range [][]string{nil, {""}, {"a", ""}} {
		if _, err := f.verifier.LogoutHandler(verifier.LogoutConfig{ClientIDs: clients}); err == nil {
			t.Errorf("accepted the clients %q", clients)
		}
	}
}

// TestLogoutOfIssuerAhead: a logout token cuts off by the clock of its issuer, which made
// the iat of the other tokens, too.
func TestLogoutOfIssuerAhead(t *testing.T) {
	f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Leeway: 5 * time.Minute}}})
	handler, err := f.verifier.LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"client-1"}})
	if err != nil {
		t.Fatal(err)
	}
	ahead := f.Now().Add(5 * time.Minute)
	known := f.mint(func(t *authtest.Token) { t.IssuedAt = ahead })
	f.accepts(t, known)
	logout := f.issuer.Mint(authtest.Token{Shape: authtest.ShapeLogoutToken, IssuedAt: ahead})
	if got := postForm(t, handler, url.Values{"logout_token": {logout}}); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
	f.refuses(t, known, token.ErrInvalid)
}

// TestLogoutHook: a hook gets the cut-off, and a token of which it failed can be sent
// again, once.
func TestLogoutHook(t *testing.T) {
	f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{}}})
	var got []verifier.Cutoff
	results := []error{errors.New("the queue is down"), nil}
	handler, err := f.verifier.LogoutHandler(verifier.LogoutConfig{
		ClientIDs: []string{"client-1"},
		CutOff: func(_ context.Context, cutoff verifier.Cutoff) error {
			got = append(got, cutoff)
			return results[len(got)-1]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	issued := f.Now().Truncate(time.Second)
	form := url.Values{"logout_token": {f.issuer.Mint(authtest.Token{Shape: authtest.ShapeLogoutToken, IssuedAt: issued})}}
	for i, want := range []int{http.StatusServiceUnavailable, http.StatusOK, http.StatusBadRequest} {
		if status := postForm(t, handler, form); status != want {
			t.Errorf("request %d: got %d, want %d", i, status, want)
		}
	}
	want := verifier.Cutoff{Issuer: f.issuer.URL, Subject: "user-1", Until: issued}
	if len(got) != 2 || got[1].Issuer != want.Issuer || got[1].Subject != want.Subject || !got[1].Until.Equal(want.Until) {
		t.Errorf("got %+v, want %+v twice", got, want)
	}
	f.accepts(t, f.mint()) // The hook did not cut off here.
}

// TestLogoutOfSession: a logout token with session and user cuts off what may belong to the
// session, and no other session.
func TestLogoutOfSession(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	handler, err := f.verifier.LogoutHandler(verifier.LogoutConfig{ClientIDs: []string{"client-1"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]error{
		f.mint(claim("sid", "s-1")):                         token.ErrInvalid,
		f.mint():                                            token.ErrInvalid, // names no session
		f.mint(claim("sid", "s-2")):                         nil,
		f.mint(claim("sub", "user-2")):                      nil,
		f.mint(claim("sub", "user-2"), claim("sid", "s-3")): nil,
	}
	for raw := range tokens {
		f.accepts(t, raw)
	}
	logout := f.issuer.Mint(authtest.Token{Shape: authtest.ShapeLogoutToken, IssuedAt: f.Now(), Claims: map[string]any{"sub": "user-1", "sid": "s-1"}})
	if got := postForm(t, handler, url.Values{"logout_token": {logout}}); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	for raw, class := range tokens {
		f.refuses(t, raw, class)
	}
}
