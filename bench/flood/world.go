package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

const (
	identifier = "https://api.example.com"
	scope      = "inventory:read inventory:write orders:read orders:write profile"
	goodPrefix = "good-"
	// known is the number of good tokens that the verifier knows.
	known = 100
	// cacheSize makes a token new again after as many others.
	cacheSize = 2000
)

// errAccepted means that a bad token was not refused.
var errAccepted = errors.New("a bad token was accepted, or it was not judged")

// world is an issuer, an introspection endpoint, and a verifier for both.
type world struct {
	issuer       *authtest.Issuer
	endpoint     *httptest.Server
	introspected atomic.Int64
	verifier     *verifier.Verifier
	forgetful    *verifier.Verifier // uses no answer twice
	resource     *token.Resource
	fresh        []string // good JWTs, more than the cache holds
	garbage      atomic.Int64
	sink         string
}

func newWorld(latency time.Duration) (*world, error) {
	w := &world{issuer: authtest.Start()}
	w.endpoint = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.introspected.Add(1)
		time.Sleep(latency)
		answer := `{"active":false}`
		if strings.HasPrefix(r.PostFormValue("token"), goodPrefix) {
			answer = `{"active":true,"sub":"user-1","client_id":"client-1","aud":"` + identifier + `","scope":"` + scope + `"}`
		}
		_, _ = rw.Write([]byte(answer))
	}))
	w.resource = &token.Resource{Identifier: identifier, Issuers: []string{w.issuer.URL}}
	for range 2 * cacheSize {
		w.fresh = append(w.fresh, w.issuer.Mint(authtest.Token{Audience: []string{identifier}, Scope: scope, Lifetime: 24 * time.Hour}))
	}
	var err, other error
	w.verifier, err = w.newVerifier(time.Hour)
	w.forgetful, other = w.newVerifier(-1)
	return w, errors.Join(err, other)
}

func (w *world) newVerifier(answers time.Duration) (*verifier.Verifier, error) {
	return verifier.New(verifier.Config{
		JWT: []verifier.JWTConfig{{Issuer: w.issuer.URL}},
		Introspection: []verifier.IntrospectionConfig{{
			Issuer: w.issuer.URL, Endpoint: w.endpoint.URL, ClientID: "api", ClientSecret: "secret", AnswerLifetime: answers,
		}},
		CacheSize: cacheSize,
	})
}

func (w *world) close() {
	w.issuer.Close()
	w.endpoint.Close()
}

func (w *world) verify(v *verifier.Verifier, raw string) error {
	_, err := v.VerifyToken(context.Background(), raw, w.resource)
	return err
}

// refuse verifies a bad token. A token of an unknown key is unavailable if the keys were
// fetched within the last second.
func (w *world) refuse(v *verifier.Verifier, raw string, classes ...error) error {
	err := w.verify(v, raw)
	for _, class := range classes {
		if errors.Is(err, class) {
			return nil
		}
	}
	return errors.Join(errAccepted, err)
}

// kinds returns the floods.
func (w *world) kinds(o options) []kind {
	v := w.verifier
	segments := strings.Split(w.fresh[0], ".")
	ofUnknownKey := func(i int) string {
		header := fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"unknown-%d"}`, i)
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + segments[1] + "." + segments[2]
	}
	garbage := func(v *verifier.Verifier) func(int) error {
		return func(int) error { return w.refuse(v, fmt.Sprintf("garbage-%d", w.garbage.Add(1)), token.ErrInvalid) }
	}
	var at, fresh, again int
	knownOpaque := func(n *int) string {
		*n++
		return fmt.Sprintf("%sknown-%d", goodPrefix, *n%known)
	}
	return []kind{
		{"nothing (control)", 1, func(i int) error {
			w.sink = ofUnknownKey(i)
			return nil
		}, w.goodJWTs(), w.requests},
		{"an unknown key", 1, func(i int) error {
			return w.refuse(v, ofUnknownKey(i), token.ErrInvalid, token.ErrUnavailable)
		}, w.goodJWTs(), w.requests},
		{"a wrong signature", 1, func(int) error {
			var random [64]byte
			_, _ = rand.Read(random[:])
			return w.refuse(v, segments[0]+"."+segments[1]+"."+base64.RawURLEncoding.EncodeToString(random[:]), token.ErrInvalid)
		}, w.goodJWTs(), w.requests},
		{"opaque garbage", o.concurrency, garbage(v), w.goodJWTs(), w.requests},
		{"opaque garbage", o.concurrency, garbage(v), []good{
			{"opaque, known", func() error { return w.verify(v, knownOpaque(&at)) }},
			{"opaque, new", func() error {
				fresh++
				return w.verify(v, fmt.Sprintf("%snew-%d", goodPrefix, fresh))
			}},
		}, w.requests},
		{"opaque garbage", o.concurrency, garbage(w.forgetful), []good{
			{"opaque, known, asked again", func() error { return w.verify(w.forgetful, knownOpaque(&again)) }},
		}, w.requests},
	}
}

// requests returns the number of requests for keys and about tokens.
func (w *world) requests() int { return w.issuer.KeySetRequests() + int(w.introspected.Load()) }

// goodJWTs returns calls with a known and with a new JWT.
func (w *world) goodJWTs() []good {
	var at, fresh int
	return []good{
		{"JWT, known", func() error {
			at++
			return w.verify(w.verifier, w.fresh[at%known])
		}},
		{"JWT, new", func() error {
			fresh++
			return w.verify(w.verifier, w.fresh[known+fresh%(len(w.fresh)-known)])
		}},
	}
}
