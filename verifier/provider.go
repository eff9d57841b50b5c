package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// maxDocument bounds the metadata and the key set, in bytes each.
const maxDocument = 1 << 20

const maxRedirects = 5

// errRedirect means that an answer was a redirect that is not followed.
var errRedirect = errors.New("redirected")

// A provider fetches the keys that an issuer publishes. It makes one fetch at a
// time.
type provider struct {
	issuer     string
	client     *http.Client
	algorithms []string

	places []string // where the metadata may be
	place  int      // where it was the last time
}

func newProvider(config JWTConfig) *provider {
	return &provider{
		issuer:     config.Issuer,
		client:     safeClient(config.HTTPClient, config.Issuer),
		algorithms: config.Algorithms,
		places:     places(config.Issuer),
	}
}

// fetch returns the keys that are published. It discovers the address of the key
// set each time, because an issuer may move it.
//
// Its errors do not unwrap: the deadline of the fetch is not the caller's.
func (p *provider) fetch(ctx context.Context) (published, error) {
	address, err := p.discover(ctx)
	if err != nil {
		return published{}, fmt.Errorf("metadata: %s", jwt.Printable(err.Error()))
	}
	document, err := p.get(ctx, address.String(), "application/jwk-set+json, application/json")
	if err != nil {
		return published{}, fmt.Errorf("key set: %s", jwt.Printable(err.Error()))
	}
	keys, err := parseKeySet(document, p.algorithms)
	if err != nil {
		return published{}, fmt.Errorf("key set: %s", jwt.Printable(err.Error()))
	}
	return keys, nil
}

func (p *provider) get(ctx context.Context, address, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return read(response)
}

// A statusError is an answer without the document.
type statusError struct {
	code int
	text string // with the code
}

func (e *statusError) Error() string { return "the answer is " + jwt.Quote(e.text) }

func read(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, &statusError{response.StatusCode, response.Status}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxDocument {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxDocument)
	}
	return body, nil
}

// safeClient returns a copy of base that follows a redirect only if it leads to
// a URL that is as protected as the issuer.
func safeClient(base *http.Client, issuer string) *http.Client {
	safe := &http.Client{Timeout: fetchTimeout}
	if base != nil {
		*safe = *base
	}
	follow := safe.CheckRedirect
	if follow == nil {
		follow = limitRedirects
	}
	safe.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if !isAsProtected(request.URL, issuer) {
			return fmt.Errorf("%w to %s, which is less protected than the issuer", errRedirect, jwt.Quote(request.URL.String()))
		}
		return follow(request, via)
	}
	return safe
}

func limitRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w too often", errRedirect)
	}
	return nil
}

// isAsProtected reports whether u is https, or a loopback address if the issuer
// is one.
func isAsProtected(u *url.URL, issuer string) bool {
	return uri.IsProtected(u) && (u.Scheme == "https" || strings.HasPrefix(issuer, "http:"))
}
