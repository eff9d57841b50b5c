package verifier_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// A breakage is a way in which an issuer fails.
type breakage struct {
	name string
	// serve answers in place of the good document.
	serve func(w http.ResponseWriter, r *http.Request, good []byte)
	// travel takes the place of the network.
	travel func(*http.Request) (*http.Response, error)
}

// breakages are the faults that look to a verifier like an outage.
func breakages() []breakage {
	status := func(code int) func(http.ResponseWriter, *http.Request, []byte) {
		return func(w http.ResponseWriter, _ *http.Request, good []byte) {
			w.WriteHeader(code)
			_, _ = w.Write(good)
		}
	}
	return []breakage{
		{name: "500", serve: status(500)},
		{name: "503", serve: status(503)},
		{name: "429", serve: status(429)},
		{name: "HTML", serve: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = w.Write([]byte("<html><body>Down for maintenance</body></html>"))
		}},
		{name: "half an answer", serve: func(w http.ResponseWriter, _ *http.Request, good []byte) {
			_, _ = w.Write(good[:len(good)/2])
		}},
		{name: "half an answer, announced in full", serve: func(w http.ResponseWriter, _ *http.Request, good []byte) {
			w.Header().Set("Content-Length", strconv.Itoa(len(good)))
			_, _ = w.Write(good[:len(good)/2])
		}},
		{name: "10 MB", serve: func(w http.ResponseWriter, _ *http.Request, good []byte) {
			_, _ = w.Write(append(good, strings.Repeat(" ", 10<<20)...))
		}},
		{name: "never", serve: func(_ http.ResponseWriter, r *http.Request, _ []byte) {
			<-r.Context().Done()
		}, travel: func(r *http.Request) (*http.Response, error) {
			// It stands for the ten seconds after which a request ends.
			ctx, cancel := context.WithTimeout(r.Context(), 20*time.Millisecond)
			defer cancel()
			return http.DefaultTransport.RoundTrip(r.WithContext(ctx))
		}},
		{name: "a connection that breaks", serve: func(http.ResponseWriter, *http.Request, []byte) {
			panic(http.ErrAbortHandler)
		}},
		{name: "no such host", travel: func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "login.example.com", IsNotFound: true}}
		}},
		{name: "no name server", travel: func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "i/o timeout", Name: "login.example.com", IsTimeout: true, IsTemporary: true}}
		}},
	}
}

// The places at which an issuer can fail.
const (
	atMetadata = "metadata"
	atKeySet   = "key set"
	atEndpoint = "introspection"
)

// A breaker breaks an issuer and repairs it.
type breaker struct {
	*authtest.Issuer

	travel atomic.Pointer[func(*http.Request) (*http.Response, error)]
}

// client returns the client for a configuration.
func (b *breaker) client() *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if travel := b.travel.Load(); travel != nil {
			return (*travel)(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	})}
}

// begin breaks the issuer at one place.
func (b *breaker) begin(broken breakage, place string) {
	if broken.travel != nil {
		b.travel.Store(&broken.travel)
	}
	if broken.serve == nil {
		return
	}
	handle := map[string]func(http.Handler){atMetadata: b.HandleDiscovery, atKeySet: b.HandleKeySet, atEndpoint: b.HandleIntrospection}
	handle[place](http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		good := map[string]func() []byte{
			atMetadata: b.Discovery, atKeySet: b.KeySet,
			atEndpoint: func() []byte { return b.Introspection(r.PostForm.Get("token")) },
		}
		broken.serve(w, r, good[place]())
	}))
}

func (b *breaker) end() {
	b.travel.Store(nil)
	b.Up()
}

// TestFaultsOfJWTIssuer: with keys, an outage refuses no token of a key that is known, be
// the token new or not, and it ends by itself. Without keys, nothing can be judged.
func TestFaultsOfJWTIssuer(t *testing.T) {
	for _, place := range []string{atMetadata, atKeySet} {
		for _, broken := range breakages() {
			t.Run(place+", "+broken.name, func(t *testing.T) {
				b := new(breaker)
				f := newFixture(t, verifier.Config{Logger: slog.New(slog.DiscardHandler), JWT: []verifier.JWTConfig{{HTTPClient: b.client()}}})
				b.Issuer = f.issuer

				b.begin(broken, place) // before the first fetch
				known := f.mint()
				f.refuses(t, known, token.ErrUnavailable)
				f.ready(t, f.issuer.URL)
				f.refuses(t, authtest.Tamper(known), token.ErrUnavailable)
				b.end()
				f.fetches(t, 0, func() { f.refuses(t, known, token.ErrUnavailable) })
				f.Advance(coolDown)
				f.accepts(t, known)

				b.begin(broken, place) // later
				brief := f.mint(func(m *authtest.Token) { m.Lifetime = time.Hour })
				f.accepts(t, brief)
				f.Advance(interval)
				f.accepts(t, known)
				f.verifier.AwaitFetch()
				for _, later := range []time.Duration{0, 10 * time.Second, 24 * time.Hour} {
					f.Advance(later)
					f.accepts(t, known)
					f.accepts(t, f.mint())
					f.refuses(t, f.mint(unknownKey(1)), token.ErrUnavailable)
					f.refuses(t, f.mint(forged), token.ErrInvalid)
					f.verifier.AwaitFetch()
				}
				f.refuses(t, brief, token.ErrInvalid) // It has expired all the same.
				f.ready(t, "")

				f.issuer.RotateKeys()
				f.issuer.WithdrawOldKeys()
				b.end()
				f.Advance(10 * time.Second)
				f.fetches(t, 1, func() { f.accepts(t, known) }) // Its key was withdrawn, which nobody knew.
				f.fetches(t, 0, func() { f.accepts(t, f.mint()) })
				f.Advance(coolDown)
				f.refuses(t, known, token.ErrInvalid)
			})
		}
	}
}

// TestFaultsOfIntrospection: an answer about a token is used for its time during an
// outage, and no longer. Other tokens cannot be judged until it ends.
func TestFaultsOfIntrospection(t *testing.T) {
	for _, broken := range breakages() {
		t.Run(broken.name, func(t *testing.T) {
			b := new(breaker)
			o := newOpaque(t, func(c *verifier.Config) { c.Introspection[0].HTTPClient = b.client() })
			b.Issuer = o.issuer

			b.begin(broken, atMetadata) // before the endpoint is known
			known, bad := o.mint(nil), o.mint(map[string]any{"active": false})
			wants(t, o.verifier, known, o.resource, token.ErrUnavailable)
			b.end()
			o.asks(t, 0, func() { wants(t, o.verifier, known, o.resource, token.ErrUnavailable) })
			o.Advance(coolDown)
			wants(t, o.verifier, known, o.resource, nil)
			wants(t, o.verifier, bad, o.resource, token.ErrInvalid)

			b.begin(broken, atEndpoint) // later
			fresh := o.mint(nil)
			for range 2 {
				wants(t, o.verifier, fresh, o.resource, token.ErrUnavailable)
			}
			wants(t, o.verifier, known, o.resource, nil)
			wants(t, o.verifier, bad, o.resource, token.ErrInvalid)
			o.Advance(5 * time.Second)
			wants(t, o.verifier, bad, o.resource, token.ErrUnavailable)
			o.Advance(55*time.Second - 1)
			wants(t, o.verifier, known, o.resource, nil)
			o.Advance(1)
			wants(t, o.verifier, known, o.resource, token.ErrUnavailable)
			if err := o.verifier.Ready(); err != nil {
				t.Error(err)
			}

			b.end()
			for _, raw := range []string{fresh, known} {
				wants(t, o.verifier, raw, o.resource, nil)
			}
			wants(t, o.verifier, bad, o.resource, token.ErrInvalid)
		})
	}
}

// TestSlowIssuer: a slow answer makes those wait who cannot do without it, and nobody
// else.
func TestSlowIssuer(t *testing.T) {
	f := newFixture(t, verifier.Config{})
	arrived, release := f.issuer.HoldKeySet()
	raw := f.mint()
	first := f.goVerify(t.Context(), raw)
	<-arrived
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.verifier.VerifyToken(gone, raw, nil); !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that gives up: got %v", err)
	}
	release()
	if err := <-first; err != nil {
		t.Errorf("a caller that waits: got %v", err)
	}
	f.Advance(interval)
	arrived, release = f.issuer.HoldKeySet()
	defer release()
	f.accepts(t, raw)
	<-arrived
	f.accepts(t, raw)
	f.accepts(t, f.mint())

	o := newOpaque(t, nil)
	known, fresh := o.mint(nil), o.mint(nil)
	wants(t, o.verifier, known, o.resource, nil)
	asked, answer := o.issuer.HoldIntrospection()
	defer answer()
	result := make(chan error, 1)
	go func() {
		_, err := o.verifier.VerifyToken(t.Context(), fresh, o.resource)
		result <- err
	}()
	<-asked
	wants(t, o.verifier, known, o.resource, nil)
	answer()
	if err := <-result; err != nil {
		t.Errorf("a new opaque token: got %v", err)
	}
}

// TestClockIsOff: a clock that is five minutes off refuses tokens of the first or of the
// last five minutes, less the leeway; with a leeway of five minutes, it refuses none.
func TestClockIsOff(t *testing.T) {
	const off = 5 * time.Minute
	for _, row := range []struct {
		name   string
		ahead  time.Duration // of this machine
		leeway time.Duration
		passed time.Duration // since the token was issued
		known  bool          // the token was accepted before the clock was set
		want   error
		reason string
	}{
		{"right", 0, 0, 0, false, nil, ""},
		{"behind, a new token", -off, 0, 0, false, token.ErrInvalid, "iat is"},
		{"behind, a token of almost 4m30s", -off, 0, off - 31*time.Second, false, token.ErrInvalid, "iat is"},
		{"behind, a token of 4m30s", -off, 0, off - 30*time.Second, false, nil, ""},
		{"behind, a known token", -off, 0, 0, true, nil, ""},
		{"behind, a token that expired 5m29s ago", -off, 0, time.Hour + off + 29*time.Second, false, nil, ""},
		{"behind, a token that expired 5m30s ago", -off, 0, time.Hour + off + 30*time.Second, false, token.ErrInvalid, "expired"},
		{"ahead, a new token", off, 0, 0, false, nil, ""},
		{"ahead, 4m31s before it expires", off, 0, time.Hour - off + 29*time.Second, false, nil, ""},
		{"ahead, 4m30s before it expires", off, 0, time.Hour - off + 30*time.Second, false, token.ErrInvalid, "expired"},
		{"ahead, a known token, 4m30s before it expires", off, 0, time.Hour - off + 30*time.Second, true, token.ErrInvalid, "expired"},
		{"behind, leeway", -off, off, 0, false, nil, ""},
		{"ahead, leeway, until it expires", off, off, time.Hour - time.Second, false, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFixture(t, verifier.Config{JWT: []verifier.JWTConfig{{Leeway: row.leeway}}})
			o := newOpaque(t, func(c *verifier.Config) {
				c.Introspection[0].Leeway, c.Introspection[0].AnswerLifetime = row.leeway, time.Hour
			})
			issued := f.Now()
			signed := f.mint(func(m *authtest.Token) { m.Lifetime = time.Hour })
			opaque := o.issuer.Mint(authtest.Token{Audience: []string{api}, Opaque: true, IssuedAt: issued, Lifetime: time.Hour, Claims: map[string]any{"active": true}})
			if row.known {
				f.accepts(t, signed)
				wants(t, o.verifier, opaque, o.resource, nil)
			}
			f.Advance(row.passed + row.ahead)
			o.Advance(issued.Sub(o.Now()) + row.passed + row.ahead)
			_, err := f.verify(t, signed)
			_, other := o.verifier.VerifyToken(t.Context(), opaque, o.resource)
			for _, err := range []error{err, other} {
				if !errors.Is(err, row.want) || err != nil && !strings.Contains(err.Error(), row.reason) {
					t.Errorf("got %v, want %v", err, row.want)
				}
			}
			f.Advance(-row.passed - row.ahead) // The clock is right again.
			f.accepts(t, signed)
		})
	}
}
