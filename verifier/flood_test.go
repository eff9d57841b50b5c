package verifier_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/authtest"
	"github.com/drawbridge-rpc/drawbridge/token"
	"github.com/drawbridge-rpc/drawbridge/verifier"
)

// TestRenewalsPassTheFlood: when every turn is taken by tokens that somebody made up, the
// answer about a token that was active is renewed all the same, and a known one is used
// without a request.
func TestRenewalsPassTheFlood(t *testing.T) {
	const turns = 64
	o := newOpaque(t, nil)
	known, old := o.mint(nil), o.mint(nil)
	wants(t, o.verifier, old, o.resource, nil)
	o.Advance(time.Minute)
	wants(t, o.verifier, known, o.resource, nil)

	arrived, release := o.issuer.HoldIntrospection()
	defer release()
	flood := make(chan struct{})
	go func() {
		defer close(flood)
		inAllCalls(4*turns, func(i int) {
			wants(t, o.verifier, fmt.Sprint("invented-", i), o.resource, token.ErrInvalid)
		})
	}()
	for range turns {
		<-arrived
	}
	o.asks(t, 0, func() { wants(t, o.verifier, known, o.resource, nil) })
	renewed := make(chan error, 1)
	go func() {
		_, err := o.verifier.VerifyToken(t.Context(), old, o.resource)
		renewed <- err
	}()
	<-arrived // although no turn is free
	release()
	if err := <-renewed; err != nil {
		t.Errorf("got %v", err)
	}
	<-flood
}

// TestConnectionsAreKept: the requests of a flood do not open a connection each.
func TestConnectionsAreKept(t *testing.T) {
	const callers, rounds = 16, 20
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(authtest.Answer(200, "application/json", `{"active":false}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	v := newVerifier(t, verifier.Config{Introspection: []verifier.IntrospectionConfig{{
		Issuer: login, Endpoint: server.URL, ClientID: "api", ClientSecret: secret,
	}}})
	for round := range rounds {
		inAllCalls(callers, func(i int) {
			wants(t, v, fmt.Sprint("invented-", round, "-", i), nil, token.ErrInvalid)
		})
	}
	if got := opened.Load(); got > 4*callers {
		t.Errorf("%d connections for %d requests", got, callers*rounds)
	}
}
