package authtest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// RefusesAnonymous calls every method of the services at a server's URL without
// credentials, and reports an error for each that does not refuse the call:
//
//	authtest.RefusesAnonymous(t, server.URL)
//
// It finds the methods in the protobuf descriptors that are linked into the test,
// and takes those services that the server serves, so that it also finds a service
// that nothing guards because it was forgotten. It does not see services without a
// descriptor. A service that is named has to be served. An [AnonymousCheck] has
// more options.
//
// A method that lets the call in runs, with an empty message.
func RefusesAnonymous(tb testing.TB, url string, services ...string) {
	tb.Helper()
	AnonymousCheck{URL: url, Services: services}.Run(tb)
}

// An AnonymousCheck calls methods of a server without credentials. It calls each
// method over Connect, gRPC and gRPC-Web, as far as the server speaks them, and
// with Connect's GET if the method has no side effects.
//
// A refusal is HTTP status 401 with a challenge that has resource_metadata (RFC
// 9728 §5.1), or status unauthenticated (16) of a protocol that does not use HTTP
// status codes.
type AnonymousCheck struct {
	// URL is the base URL of the RPCs and of the MCP endpoints, such as that of an
	// [net/http/httptest.Server]. Required.
	URL string
	// Services are the names of services whose methods are called. Each has to be
	// served and its descriptor linked. Empty means every linked service that is
	// served.
	Services []string
	// Public are the procedures, "/pkg.Service/Method", that let anonymous callers
	// in on purpose. The list is exact: one of them that refuses, or is not
	// served, is an error.
	Public []string
	// MCP are the MCP endpoints of the server.
	MCP []MCPEndpoint
	// Client sends the requests, without its cookies, and without following
	// redirects. It must not add credentials. A server with TLS needs it, such as
	// [net/http/httptest.Server.Client]. Nil means a client that speaks HTTP/2
	// without TLS if the server does, as gRPC requires, and else HTTP/1.1.
	Client *http.Client
	// Timeout bounds each request. Zero means ten seconds. A method that does not
	// answer in time let the call in: a refusal does not wait for anything.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// Run runs the check and reports its errors with Errorf. A check that finds
// nothing to call fails.
func (c AnonymousCheck) Run(tb testing.TB) {
	tb.Helper()
	for _, problem := range c.problems(tb.Context()) {
		tb.Errorf("authtest: %s", problem)
	}
}

func (c AnonymousCheck) problems(ctx context.Context) []string {
	methods, err := methodsOf(c.Services)
	if err != nil {
		return []string{err.Error()}
	}
	if len(methods)+len(c.MCP) == 0 {
		return []string{"there is nothing to call: no descriptor of a method is linked into the test, and no MCP endpoint is listed"}
	}
	p, err := newProber(ctx, c)
	if err != nil {
		return []string{fmt.Sprintf("no server answers at %q: %v", c.URL, err)}
	}
	defer p.client.CloseIdleConnections()

	var problems []string
	public, served := slices.Clone(c.Public), 0
	for _, m := range methods {
		isPublic := slices.Contains(public, m.procedure)
		public = slices.DeleteFunc(public, func(listed string) bool { return listed == m.procedure })
		answers := p.call(ctx, m)
		if answers.have(refused) || answers.have(open) || answers.have(strange) {
			served++
		}
		problems = append(problems, c.judge(m.procedure, isPublic, answers)...)
	}
	for _, listed := range public {
		problems = append(problems, fmt.Sprintf("%q is listed as public, and is not a method of the services that were called", listed))
	}
	for _, endpoint := range c.MCP {
		problems = append(problems, endpoint.problems(ctx, p)...)
	}
	if served == 0 && len(c.MCP) == 0 && len(problems) == 0 {
		problems = append(problems, fmt.Sprintf("%q serves none of the %d methods whose descriptors are linked into the test", c.URL, len(methods)))
	}
	return problems
}

// judge returns what is wrong with the answers of one method.
func (c AnonymousCheck) judge(procedure string, isPublic bool, answers answers) []string {
	var problem string
	switch {
	case isPublic && answers.have(refused):
		problem = "is listed as public, and refuses an anonymous call"
	case !isPublic && answers.have(open):
		problem = "lets an anonymous call in"
	case answers.have(strange):
		problem = "does not refuse an anonymous call as it should"
	case answers.have(refused), answers.have(open):
		return nil
	case answers.have(absent) && (isPublic || len(c.Services) > 0):
		problem = "is not served"
	case answers.have(absent):
		return nil
	default:
		problem = "cannot be called; a bidirectional stream needs a server that speaks HTTP/2"
	}
	return []string{fmt.Sprintf("%s %s: %s", procedure, problem, answers)}
}

// A verdict is what an answer means.
type verdict int

const (
	// refused: the server refused the call for its lack of credentials.
	refused verdict = iota
	// open: the server handled the call, with success or not.
	open
	// absent: the server has no such method in this protocol.
	absent
	// unsupported: the protocol needs another version of HTTP.
	unsupported
	// strange: anything else.
	strange
)

// An answer is what came back for one request.
type answer struct {
	verdict  verdict
	protocol string
	text     string
}

// answers are those of one method, one for each protocol.
type answers []answer

func (a answers) have(v verdict) bool {
	return slices.ContainsFunc(a, func(one answer) bool { return one.verdict == v })
}

// String lists the answers that let the call in or are strange, or all of them if
// there are none.
func (a answers) String() string {
	var all, notable []string
	for _, one := range a {
		text := one.protocol + " answered " + one.text
		all = append(all, text)
		if one.verdict == open || one.verdict == strange {
			notable = append(notable, text)
		}
	}
	if len(notable) > 0 {
		return strings.Join(notable, ", ")
	}
	return strings.Join(all, ", ")
}
