package authtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

type answer struct {
	status int
	body   string
}

func get(t *testing.T, url string) (answer, error) {
	t.Helper()
	return getWith(t.Context(), url)
}

func getWith(ctx context.Context, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(body)}, err
}

func keyIDs(t *testing.T, document []byte) []string {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, key := range set.Keys {
		ids = append(ids, key.KeyID)
		if !key.IsPublic() || !key.Valid() || key.Use != "sig" || key.Algorithm == "" {
			t.Errorf("key %+v", key)
		}
	}
	return ids
}

func TestDiscovery(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	metadata, err := client.Discover(t.Context(), issuer.URL, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	got, err := get(t, metadata.JwksURI)
	if err != nil || got != (answer{200, string(issuer.KeySet())}) {
		t.Errorf("got %v and %v", got, err)
	}
	oauth, err := get(t, issuer.URL+"/.well-known/oauth-authorization-server")
	if err != nil || oauth != (answer{200, string(issuer.Discovery())}) {
		t.Errorf("RFC 8414: got %v and %v", oauth, err)
	}
	if d, k := issuer.DiscoveryRequests(), issuer.KeySetRequests(); d != 2 || k != 1 {
		t.Errorf("%d discovery requests and %d key-set requests", d, k)
	}
}

func TestRotation(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	old := issuer.Mint(authtest.Token{})
	expect := func(want ...string) {
		t.Helper()
		if got := keyIDs(t, issuer.KeySet()); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("keys are %v, want %v", got, want)
		}
	}
	expect("ES256-1")
	issuer.RotateKeys()
	expect("ES256-2", "ES256-1")
	if err := verify(t, issuer, old); err != nil {
		t.Error(err)
	}
	if err := verify(t, issuer, issuer.Mint(authtest.Token{})); err != nil {
		t.Error(err)
	}
	issuer.WithdrawOldKeys()
	expect("ES256-2")
	if verify(t, issuer, old) == nil {
		t.Error("a token of a withdrawn key verified")
	}
}

// TestKeysAreNotShared proves that two issuers never have the same key at the
// same time, although RSA keys are reused.
func TestKeysAreNotShared(t *testing.T) {
	var before []byte
	t.Run("first", func(t *testing.T) {
		one, other := authtest.NewIssuer(t, "RS256"), authtest.NewIssuer(t, "RS256")
		if bytes.Equal(one.KeySet(), other.KeySet()) {
			t.Error("shared key")
		}
		before = append(one.KeySet(), other.KeySet()...)
	})
	next := authtest.NewIssuer(t, "RS256")
	if !bytes.Contains(before, next.KeySet()) {
		t.Error("a new key was generated")
	}
}

func TestDownAndUp(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	issuer.Down()
	if got, err := get(t, issuer.URL+"/keys"); err == nil {
		t.Errorf("got %v", got)
	}
	if n := issuer.KeySetRequests(); n != 1 {
		t.Errorf("%d key-set requests", n)
	}
	issuer.HandleKeySet(authtest.Answer(418, "text/plain", "tea"))
	issuer.HandleDiscovery(authtest.Answer(418, "text/plain", "tea"))
	issuer.Up()
	for _, path := range []string{"/keys", "/.well-known/openid-configuration"} {
		if got, err := get(t, issuer.URL+path); err != nil || got.status != 200 {
			t.Errorf("%s: got %v and %v", path, got, err)
		}
	}
}

func TestReplacedAnswers(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	tea := answer{418, "tea"}
	issuer.HandleKeySet(authtest.Answer(tea.status, "text/plain", tea.body))
	issuer.HandleDiscovery(authtest.Answer(tea.status, "text/plain", tea.body))
	for _, path := range []string{"/keys", "/.well-known/openid-configuration"} {
		if got, err := get(t, issuer.URL+path); err != nil || got != tea {
			t.Errorf("%s: got %v and %v", path, got, err)
		}
	}
	issuer.HandleKeySet(nil)
	if got, err := get(t, issuer.URL+"/keys"); err != nil || got.status != 200 {
		t.Errorf("restored: got %v and %v", got, err)
	}
}

func TestHoldKeySet(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	arrived, release := issuer.HoldKeySet()
	answers := make(chan answer)
	for range 3 {
		go func() {
			got, _ := getWith(t.Context(), issuer.URL+"/keys")
			answers <- got
		}()
		<-arrived
	}
	select {
	case got := <-answers:
		t.Errorf("got %v before the release", got)
	default:
	}
	release()
	release()
	for range 3 {
		if got := <-answers; got != (answer{200, string(issuer.KeySet())}) {
			t.Errorf("got %v", got)
		}
	}
	if got, err := get(t, issuer.URL+"/keys"); err != nil || got.status != 200 {
		t.Errorf("after the release: got %v and %v", got, err)
	}
}

func TestHeldClientGivesUp(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	arrived, _ := issuer.HoldKeySet()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := getWith(ctx, issuer.URL+"/keys")
		failed <- err
	}()
	<-arrived
	cancel()
	if err := <-failed; err == nil {
		t.Error("got an answer")
	}
}

// TestCloseReleases proves that an Issuer can be closed while it delays a
// request.
func TestCloseReleases(t *testing.T) {
	issuer := authtest.Start()
	arrived, _ := issuer.HoldKeySet()
	failed := make(chan error)
	go func() {
		_, err := getWith(t.Context(), issuer.URL+"/keys")
		failed <- err
	}()
	<-arrived
	issuer.Close()
	issuer.Close()
	if err := <-failed; err == nil {
		t.Error("got an answer")
	}
}

func TestUnknownAlgorithm(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	authtest.Start("HS256")
}

func TestStartPanicsOnMistakes(t *testing.T) {
	issuer := authtest.Start()
	defer issuer.Close()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	issuer.Mint(authtest.Token{Algorithm: "RS256"})
}

// FuzzIssuer uses an issuer in a fuzz target, which must not call methods of
// the F.
func FuzzIssuer(f *testing.F) {
	issuer := authtest.NewIssuer(f)
	f.Add("alice")
	f.Fuzz(func(t *testing.T, subject string) {
		if err := verify(t, issuer, issuer.Mint(authtest.Token{Subject: subject})); err != nil {
			t.Error(err)
		}
	})
}
