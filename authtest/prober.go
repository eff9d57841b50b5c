package authtest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
)

// A prober sends requests to a server.
type prober struct {
	base    string
	client  *http.Client
	timeout time.Duration
}

// newProber returns a prober with the first client that reaches the server.
func newProber(ctx context.Context, c AnonymousCheck) (*prober, error) {
	transports := []http.RoundTripper{newTransport(true), newTransport(false)}
	if c.Client != nil {
		transports = []http.RoundTripper{c.Client.Transport}
	}
	var failures []error
	for _, transport := range transports {
		p := &prober{
			base: strings.TrimRight(c.URL, "/"),
			client: &http.Client{
				Transport:     transport,
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
			timeout: cmp.Or(c.Timeout, defaultTimeout),
		}
		err := p.send(ctx, request{method: http.MethodGet, path: "/"}, func(*http.Response) {})
		if err == nil {
			return p, nil
		}
		p.client.CloseIdleConnections()
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// newTransport returns a transport that speaks HTTP/2 without TLS and nothing
// else, or that chooses as net/http does.
func newTransport(unencryptedHTTP2 bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(unencryptedHTTP2)
	protocols.SetHTTP1(!unencryptedHTTP2)
	protocols.SetHTTP2(!unencryptedHTTP2)
	return &http.Transport{Protocols: protocols}
}

// A request is one to the server of a prober.
type request struct {
	method string
	path   string // and query
	header http.Header
	body   string
}

// send sends a request and lets read have the response while its context lasts.
func (p *prober) send(ctx context.Context, req request, read func(*http.Response)) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, req.method, p.base+req.path, strings.NewReader(req.body))
	if err != nil {
		return err
	}
	if req.header != nil {
		r.Header = req.header
	}
	response, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	read(response)
	return nil
}
