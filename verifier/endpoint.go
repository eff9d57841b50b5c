package verifier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rs"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

var errNotDiscovered = errors.New("the introspection endpoint has not been discovered yet")

// An endpoint asks an authorization server about tokens. It is safe for concurrent
// use.
type endpoint struct {
	config IntrospectionConfig
	client *http.Client
	now    func() time.Time
	log    answerLog

	mu       sync.Mutex // held during discovery
	metadata metadata
	server   rs.ResourceServer // nil until the address is known
	hasMoved bool              // whether that may be another by now
	tried    time.Time         // when the last discovery ended
	reason   error             // why it failed, if there is no server
}

func newEndpoint(config IntrospectionConfig, logger *slog.Logger, now func() time.Time) *endpoint {
	site := newSite(config.Issuer, config.InternalURL, config.HTTPClient)
	return &endpoint{
		config:   config,
		client:   introspectionClient(config),
		now:      now,
		log:      answerLog{issuer: config.Issuer, logger: logger},
		metadata: newMetadata(site, introspectionEndpoint),
	}
}

// ask returns the answer about a token. Its errors say that there is none, and hold
// nothing of what came instead, which may repeat the token.
func (e *endpoint) ask(ctx context.Context, raw string) (answer jwt.Object, err error) {
	defer func() { e.log.record(err, e.now()) }()
	server, err := e.locate(ctx)
	if err != nil {
		return nil, err
	}
	body, err := rs.Introspect[document](ctx, server, raw)
	if errors.Is(err, errInactive) {
		return jwt.Object{"active": false}, nil
	}
	if err != nil {
		if isMoved(err) {
			e.suspect(server)
		}
		return nil, introspectionError(err)
	}
	if err := jwt.ScanObject(body, nil); err != nil {
		return nil, fmt.Errorf("introspection: the answer is %w", err)
	}
	if answer, err = jwt.ParseObject(body); err != nil {
		return nil, errors.New("introspection: the answer is not JSON")
	}
	if e.config.TokenInfo && !answer.Has("active") {
		answer["active"] = true // It has no such answer about any other token.
	}
	return answer, nil
}

// introspectionError returns an error without the text of an answer.
func introspectionError(err error) error {
	if status, ok := errors.AsType[*statusError](err); ok {
		return fmt.Errorf("introspection: %w", status)
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("introspection: %s", jwt.Printable(failed.Error()))
	}
	if failed, ok := errors.AsType[net.Error](err); ok && failed.Timeout() {
		return errors.New("introspection: no answer in time")
	}
	return errors.New("introspection: the answer is malformed, too long, or not complete")
}

// A document is JSON that is not decoded.
type document []byte

// UnmarshalJSON keeps the JSON.
func (d *document) UnmarshalJSON(data []byte) error {
	*d = append((*d)[:0], data...)
	return nil
}

var _ json.Unmarshaler = (*document)(nil)

// locate returns the server, and discovers its address first if it is not known.
func (e *endpoint) locate(ctx context.Context) (rs.ResourceServer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	since := e.now().Sub(e.tried)
	switch {
	case e.server != nil && (!e.hasMoved || since < retryInterval):
		return e.server, nil
	case e.reason != nil && since < coolDown:
		return nil, e.reason
	}
	server, err := e.discover(ctx)
	e.tried = e.now()
	switch {
	case err == nil:
		e.server, e.hasMoved, e.reason = server, false, nil
	case e.server == nil:
		e.reason = fmt.Errorf("metadata: %s", jwt.Printable(err.Error()))
		return nil, e.reason
	}
	return e.server, nil
}

// suspect makes a later request discover the address again, because the server may
// have moved. Until that has succeeded, the old address stays in use.
func (e *endpoint) suspect(server rs.ResourceServer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == server && e.config.Endpoint == "" {
		e.hasMoved = true
	}
}

// isMoved reports whether an error suggests that the endpoint has another address by
// now: the connection failed, or the server has nothing at this one. Other statuses do
// not count, because a server may answer them to a token that a caller made up.
func isMoved(err error) bool {
	status, ok := errors.AsType[*statusError](err)
	if !ok {
		_, ok := errors.AsType[*net.OpError](err)
		return ok
	}
	switch status.code {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return true
	default:
		return status.code >= 300 && status.code < 400
	}
}

// warm discovers the address.
func (e *endpoint) warm(ctx context.Context) error {
	if _, err := e.locate(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// ready returns nil if the address is known. Otherwise it starts a discovery in the
// background, unless one is running or has just failed.
func (e *endpoint) ready() error {
	if !e.mu.TryLock() {
		return unavailable(errNotDiscovered)
	}
	defer e.mu.Unlock()
	switch {
	case e.server != nil || e.config.Endpoint != "":
		return nil
	case e.reason != nil && e.now().Sub(e.tried) < coolDown:
		return unavailable(e.reason)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
		defer cancel()
		_, _ = e.locate(ctx) // The next call of ready returns the error.
	}()
	return unavailable(cmp.Or(e.reason, errNotDiscovered))
}

func (e *endpoint) discover(ctx context.Context) (rs.ResourceServer, error) {
	address := e.config.Endpoint
	if address == "" {
		found, err := e.metadata.discover(ctx)
		if err != nil {
			return nil, err
		}
		address = found.String()
	}
	options := []rs.Option{
		rs.WithStaticEndpoints(address, address), // the first is not used
		rs.WithClient(e.client),
	}
	if len(e.config.PrivateKey) > 0 {
		return rs.NewResourceServerJWTProfile(ctx, e.config.Issuer, e.config.ClientID, e.config.KeyID, e.config.PrivateKey, options...)
	}
	server, err := rs.NewResourceServerClientCredentials(ctx, e.config.Issuer, e.config.ClientID, e.config.ClientSecret, options...)
	if err == nil && e.config.TokenInfo {
		return tokenInfoServer{server}, nil
	}
	return server, err
}
