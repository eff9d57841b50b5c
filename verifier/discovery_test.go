package verifier_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	openID = "/.well-known/openid-configuration"
	oauth  = "/.well-known/oauth-authorization-server"
)

// A site serves the metadata of an issuer at the paths that a test gives it, and
// its keys. Other paths are 404.
type site struct {
	*clock

	signer   *authtest.Issuer
	url      string // of the server
	issuer   string
	verifier *verifier.Verifier

	mu    sync.Mutex
	serve map[string]http.Handler
	asked []string // the paths of requests for metadata
}

// newSite starts a site whose issuer has the given path.
func newSite(t *testing.T, path string) *site {
	t.Helper()
	s := &site{clock: newClock(), signer: authtest.NewIssuer(t), serve: make(map[string]http.Handler)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url, s.issuer = server.URL, server.URL+path
	v, err := verifier.NewAt(verifier.Config{CacheSize: -1, Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{Issuer: s.issuer}}}, s.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.verifier = v
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		http.Error(w, "only JSON is here", http.StatusNotAcceptable)
		return
	}
	if r.URL.Path == "/keys" {
		_, _ = w.Write(s.signer.KeySet())
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.Path)
	handler := s.serve[r.URL.Path]
	s.mu.Unlock()
	if handler == nil {
		handler = http.NotFoundHandler()
	}
	handler.ServeHTTP(w, r)
}

// set makes the site serve exactly these answers.
func (s *site) set(answers map[string]http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve, s.asked = answers, nil
}

// metadata is an answer with the metadata of an issuer.
func (s *site) metadata(issuer string) http.Handler {
	return authtest.Answer(200, "application/json", fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, s.url+"/keys"))
}

// fetch makes the verifier fetch the key set anew, and returns the paths that it
// asked for and the error.
func (s *site) fetch(t *testing.T) ([]string, error) {
	t.Helper()
	s.Advance(interval * 3) // so that the caller waits
	raw := s.signer.Mint(authtest.Token{Audience: []string{api}, IssuedAt: s.Now(), Claims: map[string]any{"iss": s.issuer}})
	_, err := s.verifier.VerifyToken(t.Context(), raw, nil)
	s.verifier.AwaitFetch()
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked, err
}

// TestPlaces proves where metadata is found, how many requests that takes, and
// that the place is remembered.
func TestPlaces(t *testing.T) {
	for _, row := range []struct {
		name, issuer, served string
		first                []string // the paths that are asked for
	}{
		{"R8414-3 OpenID", "", openID, []string{openID}},
		{"R8414-3 OAuth", "", oauth, []string{openID, oauth}},
		{"R8414-3 OpenID with a path", "/realms/one", "/realms/one" + openID, []string{"/realms/one" + openID}},
		{"R8414-3 OAuth with a path", "/realms/one", oauth + "/realms/one", []string{"/realms/one" + openID, oauth + "/realms/one"}},
		{"R8414-3 OpenID inserted", "/a", openID + "/a", []string{"/a" + openID, oauth + "/a", openID + "/a"}},
		{"R8414-3 OAuth appended", "/a", "/a" + oauth, []string{"/a" + openID, oauth + "/a", openID + "/a", "/a" + oauth}},
		{"R8414-3 OpenID with a slash", "/", openID, []string{openID}},
		{"R8414-3 OAuth with a slash", "/", oauth, []string{openID, oauth}},
		{"R8414-3 OAuth with a path and a slash", "/a/", oauth + "/a", []string{"/a" + openID, oauth + "/a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, row.issuer)
			s.set(map[string]http.Handler{row.served: s.metadata(s.issuer)})
			for _, want := range [][]string{row.first, {row.served}, {row.served}} {
				if asked, err := s.fetch(t); err != nil || !slices.Equal(asked, want) {
					t.Errorf("asked for %q and got %v, want %q", asked, err, want)
				}
			}
		})
	}
}

// TestAbsence has answers which mean that the metadata is somewhere else.
func TestAbsence(t *testing.T) {
	status := func(code int) func(*site) http.Handler {
		return func(*site) http.Handler { return authtest.Answer(code, "text/plain", "no") }
	}
	body := func(text string) func(*site) http.Handler {
		return func(s *site) http.Handler {
			return authtest.Answer(200, "application/json", strings.NewReplacer("ISS", s.issuer, "URL", s.url).Replace(text))
		}
	}
	redirect := func(target string) func(*site) http.Handler {
		return func(*site) http.Handler { return http.RedirectHandler(target, http.StatusFound) }
	}
	for _, row := range []struct {
		name   string
		answer func(*site) http.Handler
	}{
		{"R8414-3 204", status(204)},
		{"R8414-3 400", status(400)},
		{"R8414-3 401", status(401)},
		{"R8414-3 403", status(403)},
		{"R8414-3 404", status(404)},
		{"R8414-3 405", status(405)},
		{"R8414-3 410", status(410)},
		{"R8414-3 501", status(501)},
		{"R8414-3 a redirect to a page", redirect("/keys")},
		{"R8414-3 a redirect in the clear", redirect("http://login.example.com")},
		{"R8414-3 a redirect to itself", redirect(openID)},
		{"R8414-3 a page", body("<html>")},
		{"R8414-3 null", body("null")},
		{"R8414-3 an array", body("[]")},
		{"R8414-3 another issuer", body(`{"issuer":"ISS/other","jwks_uri":"URL/keys"}`)},
		{"R8414-3 a slash more", body(`{"issuer":"ISS/","jwks_uri":"URL/keys"}`)},
		{"R8414-3 no issuer", body(`{"jwks_uri":"URL/keys"}`)},
		{"R8414-3 the name in capitals", body(`{"Issuer":"ISS","jwks_uri":"URL/keys"}`)},
		{"R8414-3 issuer twice", body(`{"issuer":"ISS","issuer":"ISS","jwks_uri":"URL/keys"}`)},
		{"R8414-3 issuer twice after jwks_uri", body(`{"jwks_uri":"URL/keys","issuer":"ISS","issuer":"ISS"}`)},
		{"R8414-3 no jwks_uri", body(`{"issuer":"ISS"}`)},
		{"R8414-3 jwks_uri in the clear", body(`{"issuer":"ISS","jwks_uri":"http://login.example.com/keys"}`)},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, "")
			absent := row.answer(s)
			s.set(map[string]http.Handler{openID: absent, oauth: s.metadata(s.issuer)})
			if asked, err := s.fetch(t); err != nil || asked[len(asked)-1] != oauth {
				t.Errorf("asked for %q and got %v, want the second place to be used", asked, err)
			}
			s.set(map[string]http.Handler{openID: s.metadata(s.issuer), oauth: absent})
			if asked, err := s.fetch(t); err != nil || asked[len(asked)-1] != openID {
				t.Errorf("moved back: asked for %q and got %v", asked, err)
			}
			s = newSite(t, "")
			s.set(map[string]http.Handler{openID: absent, oauth: absent})
			asked, err := s.fetch(t)
			asked = slices.Compact(asked) // a redirect may lead to itself
			if !errors.Is(err, token.ErrUnavailable) || !slices.Equal(asked, []string{openID, oauth}) && !slices.Equal(asked, []string{openID, oauth, openID}) {
				t.Errorf("at neither place: asked for %q and got %v", asked, err)
			}
		})
	}
}

// TestOutageIsNoAbsence has answers which say nothing about where the metadata
// is. No other place is asked: what it says may be out of date.
func TestOutageIsNoAbsence(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer http.Handler
	}{
		{"R8414-3 408", authtest.Answer(408, "text/plain", "no")},
		{"R8414-3 425", authtest.Answer(425, "text/plain", "no")},
		{"R8414-3 429", authtest.Answer(429, "text/plain", "no")},
		{"R8414-3 500", authtest.Answer(500, "text/plain", "no")},
		{"R8414-3 502", authtest.Answer(502, "text/plain", "no")},
		{"R8414-3 503", authtest.Answer(503, "text/plain", "no")},
		{"R8414-3 504", authtest.Answer(504, "text/plain", "no")},
		{"R8414-3 no answer", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		{"R8414-3 cut off", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		})},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, remembered := range []string{openID, oauth} {
				s := newSite(t, "")
				s.set(map[string]http.Handler{remembered: s.metadata(s.issuer)})
				if _, err := s.fetch(t); err != nil {
					t.Fatal(err)
				}
				answers := map[string]http.Handler{openID: s.metadata(s.issuer), oauth: s.metadata(s.issuer)}
				answers[remembered] = row.answer
				s.set(answers)
				asked, err := s.fetch(t)
				// A transport may ask again if a connection breaks.
				if err != nil || len(slices.Compact(asked)) != 1 || asked[0] != remembered {
					t.Errorf("asked for %q and got %v, want only %s and the old keys", asked, err, remembered)
				}
			}
		})
	}
}

// TestDiscoveryErrors proves that the reason which is most likely the cause is
// logged, in one line.
func TestDiscoveryErrors(t *testing.T) {
	for _, row := range []struct {
		name    string
		answers func(*site) map[string]http.Handler
		reason  string
	}{
		{"R8414-3 nowhere", func(*site) map[string]http.Handler { return nil }, "not at any of 4 places: "},
		{"R8414-3 a document beside absences", func(s *site) map[string]http.Handler {
			return map[string]http.Handler{oauth + "/a": s.metadata("https://evil.example.com\n")}
		}, `issuer is "https://evil.example.com\n", expected `},
		{"R8414-3 a document before a page", func(s *site) map[string]http.Handler {
			return map[string]http.Handler{
				"/a" + openID: s.metadata("https://first.example.com"),
				oauth + "/a":  authtest.Answer(200, "text/html", "<html>"),
			}
		}, `issuer is "https://first.example.com"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, "/a")
			s.set(row.answers(s))
			_, err := s.fetch(t)
			if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), row.reason) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want unavailable because of %s", err, row.reason)
			}
		})
	}
}
