package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/client"

	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// maxKeySet bounds the key set in bytes. zitadel/oidc has the same limit for
// the discovery document.
const maxKeySet = 1 << 20

const maxRedirects = 5

// A provider fetches the keys that an OpenID provider publishes.
type provider struct {
	issuer     string
	client     *http.Client
	algorithms []string
}

func newProvider(config JWTConfig) *provider {
	return &provider{
		issuer:     config.Issuer,
		client:     safeClient(config.HTTPClient, config.Issuer),
		algorithms: config.Algorithms,
	}
}

// fetch returns the usable keys. It discovers the address of the key set each
// time, because an issuer may move it.
func (p *provider) fetch(ctx context.Context) ([]*publicKey, error) {
	metadata, err := client.Discover(ctx, p.issuer, p.client)
	if err != nil {
		// The text may contain the whole response of the server.
		return nil, fmt.Errorf("discovery: %s", quote(err.Error()))
	}
	document, err := p.get(ctx, metadata.JwksURI)
	if err != nil {
		// Not wrapped: the deadline of the fetch is not the caller's.
		return nil, fmt.Errorf("key set: %s", quote(err.Error()))
	}
	published, err := parseKeySet(document, p.algorithms)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return published, nil
}

func (p *provider) get(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("jwks_uri is %s, which is not a URL", quote(address))
	}
	if !isAsProtected(u, p.issuer) {
		return nil, fmt.Errorf("jwks_uri is %s, which is less protected than the issuer", quote(address))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return read(response)
}

func read(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", quote(response.Status))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxKeySet {
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxKeySet)
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
			return fmt.Errorf("redirected to %s, which is less protected than the issuer", quote(request.URL.String()))
		}
		return follow(request, via)
	}
	return safe
}

func limitRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// isAsProtected reports whether u is https, or a loopback address if the issuer
// is one.
func isAsProtected(u *url.URL, issuer string) bool {
	return uri.IsProtected(u) && (u.Scheme == "https" || strings.HasPrefix(issuer, "http:"))
}
