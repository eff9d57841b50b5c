package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/token"
)

const (
	user = "ada"
	// answerLifetime is how long an answer of the introspection endpoint is used.
	answerLifetime = time.Second
	// patience is how long something may take that takes effect later.
	patience = 10 * time.Second
	interval = 50 * time.Millisecond
)

// A suite calls the resources with tokens of a provider. It prints a line for each
// check.
type suite struct {
	site

	out       io.Writer
	failed    int
	resources *resources
	server    authorizationServer
	// parameter names the resource in requests for tokens: "resource" (RFC 8707), or
	// that of the provider.
	parameter string
	page      func(ctx context.Context, b *browser, address *url.URL) (string, error)
}

func (s *suite) section(name string) { fmt.Fprintf(s.out, "--- %s\n", name) }

// check prints what was expected, and whether it failed.
func (s *suite) check(what string, err error) {
	if err == nil {
		fmt.Fprintf(s.out, "    %s\n", what)
		return
	}
	s.failed++
	fmt.Fprintf(s.out, "FAILED: %s: %v\n", what, err)
}

// need reports an error without which there is nothing to check.
func (s *suite) need(what string, err error) bool {
	if err != nil {
		s.check(what, err)
	}
	return err == nil
}

// A row is a call, and what is expected of it.
type row struct {
	what   string
	call   call
	want   outcome
	caller string // whom the server takes the caller for, if it is not empty
	cause  string // a part of what the log says, if it is not empty
}

func (s *suite) run(ctx context.Context, rows ...row) {
	for _, r := range rows {
		got, err := r.call.send(ctx, s.site)
		if err == nil {
			err = got.is(r.want)
		}
		if err == nil {
			err = r.decided(s.resources.observed.decision())
		}
		s.check(r.what, err)
	}
}

// decided returns an error unless the decision is the expected one.
func (r row) decided(d drawbridge.Decision) error {
	if r.caller != "" {
		if err := same("the caller", who(d.Subject, d.ClientID, d.Party), r.caller); err != nil {
			return err
		}
	}
	if cause := fmt.Sprint(d.Cause); !strings.Contains(cause, r.cause) {
		return fmt.Errorf("the cause is %s, want %s", cause, r.cause)
	}
	return nil
}

// who writes down a caller.
func who(subject, client string, party token.Party) string {
	return fmt.Sprintf("%s through %s, %s", cmp.Or(subject, "nobody"), cmp.Or(client, "nothing"), party)
}

func same[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s: got %v, want %v", what, got, want)
}

// token returns a token that a client gets for itself. A failure is reported, and the
// result is empty.
func (s *suite) token(ctx context.Context, client, scope, resource string) string {
	granted, err := s.request(ctx, s.server.Token, tokenRequest{client: client, form: clientCredentials(scope, s.parameter, resource)})
	s.need("a token of "+client+" for "+scope, err)
	return granted.AccessToken
}

// discovery follows the refusals to the token endpoint.
func (s *suite) discovery(ctx context.Context) bool {
	document, server, err := s.discover(ctx, s.JWT)
	if !s.need("a refusal leads to the token endpoint", err) {
		return false
	}
	s.server = server
	s.check("a refusal leads to the metadata of the resource, and these to "+server.place, nil)
	err = s.overGRPC(ctx, "", "", "")
	if denial, ok := errors.AsType[*challenge.DenialError](err); ok {
		err = errors.Join(
			isRefused(err, challenge.ReasonNoCredentials),
			same("resource_metadata", denial.Challenge.ResourceMetadataURL, s.JWT+"/.well-known/oauth-protected-resource"))
	}
	s.check("so does one over gRPC", err)
	s.check("the metadata name the algorithms of proofs", same("their number", len(document.Algorithms), 4))
	return true
}

// clients calls a resource with tokens that clients got for themselves.
func (s *suite) clients(ctx context.Context, resource, elsewhere, client string) {
	read := s.token(ctx, client, readStock, resource)
	other := s.token(ctx, client, readStock, elsewhere)
	caller := who(client, client, token.PartyClient)
	s.run(ctx,
		row{"a token of a client: 200", call{resource: resource, token: read}, allowed, caller, ""},
		row{
			"without the scope: 403, and the challenge names it",
			call{resource: resource, procedure: getInvoice, token: read}, outcome{http.StatusForbidden, "insufficient_scope", readBills}, caller, "",
		},
		row{
			"with the scope: 200",
			call{resource: resource, procedure: getInvoice, token: s.token(ctx, client, readBills, resource)}, allowed, caller, "",
		},
		row{
			"what only users may do: 403, and no scope helps",
			call{resource: resource, procedure: adjustStock, token: s.token(ctx, client, writeStock, resource)}, outcome{status: http.StatusForbidden}, caller, "",
		},
		row{"a token for another resource: 401", call{resource: resource, token: other}, refused, "", "its audience is"},
		row{"a token that was changed: 401", call{resource: resource, token: changed(read)}, refused, "", causeOfChange(read)},
		row{"nonsense: 401", call{resource: resource, token: "nonsense"}, refused, "", "not active"},
	)
	if resource == s.JWT {
		s.check("over gRPC: OK", s.overGRPC(ctx, read, "", ""))
		s.check("over gRPC with a token for another resource: unauthenticated", isRefused(s.overGRPC(ctx, other, "", ""), challenge.ReasonInvalidToken))
	}
}

// changed returns a token with another first character of its last part, the
// signature of a JWT.
func changed(raw string) string {
	if raw == "" {
		return raw
	}
	last := len(raw) - 10
	other := byte('A')
	if raw[last] == other {
		other = 'B'
	}
	return raw[:last] + string(other) + raw[last+1:]
}

// causeOfChange is why a token that was changed is refused.
func causeOfChange(raw string) string {
	if strings.Count(raw, ".") == 2 {
		return "the signature is wrong"
	}
	return "not active"
}

// users calls a resource with tokens that clients got for a user. Kind is what gives an
// ID token of the provider away.
func (s *suite) users(ctx context.Context, resource, client, kind string) {
	b, err := s.newBrowser(s.page)
	if !s.need("a browser", err) {
		return
	}
	scope := "openid " + readStock + " " + writeStock + " " + readBills
	granted, err := b.logIn(ctx, s.server, client, scope, url.Values{s.parameter: {resource}})
	if !s.need("a login", err) {
		return
	}
	caller := who(user, client, token.PartyUser)
	s.run(ctx,
		row{"a token of a user: 200", call{resource: resource, token: granted.AccessToken}, allowed, caller, ""},
		row{"what only users may do: 200", call{resource: resource, procedure: adjustStock, token: granted.AccessToken}, allowed, caller, ""},
		row{
			"what only clients may do: 403, and no scope helps",
			call{resource: resource, procedure: getInvoice, token: granted.AccessToken}, outcome{status: http.StatusForbidden}, caller, "",
		},
		row{"the ID token of the login: 401", call{resource: resource, token: granted.IDToken}, refused, "", kind},
	)
}

// revocation revokes an opaque token, which the server knows already.
func (s *suite) revocation(ctx context.Context, resource, client string) {
	raw := s.token(ctx, client, readStock, resource)
	s.run(ctx, row{"a token before it is revoked: 200", call{resource: resource, token: raw}, allowed, "", ""})
	if s.need("the revocation", s.revoke(ctx, s.server.Revocation, client, raw)) {
		s.eventually(ctx, "a revoked token: 401, once the lifetime of the answer has passed", call{resource: resource, token: raw}, refused)
	}
}

// eventually repeats a call until it ends as expected.
func (s *suite) eventually(ctx context.Context, what string, c call, want outcome) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		got, err := c.send(ctx, s.site)
		if err == nil {
			err = got.is(want)
		}
		if err == nil {
			s.check(what, nil)
			return
		}
		select {
		case <-ctx.Done():
			s.check(what, err)
			return
		case <-time.After(interval):
		}
	}
}
