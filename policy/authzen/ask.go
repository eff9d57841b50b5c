package authzen

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/drawbridge-rpc/drawbridge/internal/panicked"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// requestID is the header field that identifies a request in the logs of both sides
// (AuthZEN §10.1.4), in the canonical form of net/http.
const requestID = "X-Request-Id"

// An evaluation is a question as it is sent.
type evaluation struct {
	body []byte
	// elements is the length of the list that the question is about. It is not used
	// unless isList.
	isList   bool
	elements int
}

// ask sends a question and returns the decision. Every error unwraps to
// token.ErrUnavailable.
func (d *DecisionPoint) ask(ctx context.Context, asked evaluation) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var allowed bool
	err := recovered(func() (err error) {
		allowed, err = d.evaluate(limited, asked)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return false, givenUp(ctx) // It says nothing about the decision point.
	}
	d.log.record(err, d.now())
	return allowed && err == nil, err
}

// recovered returns an outage in place of a panic of f, which calls a transport and a token
// source.
func recovered(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			failed := panicked.New("the HTTP client or the token source", value)
			err = &outage{text: printable(failed.Error()), cause: failed}
		}
	}()
	return f()
}

// evaluate waits for its turn and asks.
func (d *DecisionPoint) evaluate(ctx context.Context, asked evaluation) (allowed bool, err error) {
	found, err := d.endpoints.locate(ctx)
	if err != nil {
		return false, err
	}
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
	case <-ctx.Done():
		return false, unavailable("too many questions are on their way")
	}
	address, parse := found.one, parseDecision
	if asked.isList {
		address, parse = found.many, func(body []byte) (bool, error) { return parseDecisions(body, asked.elements) }
	}
	if address == "" {
		return false, unavailable("its metadata has no access_evaluations_endpoint, which the question about a list needs")
	}
	body, err := d.post(ctx, address, asked.body)
	if err != nil {
		if failed, ok := errors.AsType[*outage](err); !ok || !failed.isRejection() {
			d.endpoints.suspect()
		}
		return false, err
	}
	if allowed, err = parse(body); err != nil {
		return false, unavailable("the answer " + err.Error())
	}
	return allowed, nil
}

// post sends a question to an endpoint and returns the answer.
func (d *DecisionPoint) post(ctx context.Context, address string, question []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(question))
	if err != nil {
		return nil, unavailable("malformed address")
	}
	if err := d.authenticate(request); err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	// A question changes nothing. This lets net/http send it again where it was written to
	// a connection that the other side had already closed. The field itself is not sent.
	request.Header["Idempotency-Key"] = nil
	return d.exchange(request)
}

// exchange sends a request and returns the body of the answer.
func (d *DecisionPoint) exchange(request *http.Request) ([]byte, error) {
	request.Header.Set("Accept", "application/json")
	request.Header.Set(requestID, rand.Text())
	response, err := d.client.Do(request)
	if err != nil {
		return nil, transportOutage(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, statusOutage(response.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, unavailable("the answer is not application/json")
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, transportOutage(err)
	case len(body) > maxAnswer:
		return nil, unavailable(fmt.Sprintf("the answer is longer than %d bytes", maxAnswer))
	}
	return body, nil
}
