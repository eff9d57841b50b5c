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

// A site is where an issuer is reached.
type site struct {
	issuer string
	// internal replaces issuer at the beginning of an address. It is empty if the
	// issuer is reached at its public address.
	internal string
	client   *http.Client
}

func newSite(issuer, internal string, client *http.Client) *site {
	s := &site{issuer: issuer, internal: strings.TrimSuffix(internal, "/")}
	s.client = safeClient(client, s)
	return s
}

// base returns the address of the issuer.
func (s *site) base() string {
	if s.internal != "" {
		return s.internal
	}
	return s.issuer
}

// reach returns the address at which a URL of the issuer's metadata is reached. One
// at the issuer's own host moves with it.
func (s *site) reach(u *url.URL) *url.URL {
	if s.internal == "" {
		return u
	}
	public, err := url.Parse(s.issuer)
	internal, internalErr := url.Parse(s.internal)
	if err != nil || internalErr != nil || u.Scheme != public.Scheme || u.Host != public.Host {
		return u
	}
	moved := *u
	moved.Scheme, moved.Host = internal.Scheme, internal.Host
	if rest, ok := strings.CutPrefix(u.Path, strings.TrimSuffix(public.Path, "/")+"/"); ok {
		moved.Path, moved.RawPath = internal.Path+"/"+rest, ""
	}
	return &moved
}

// protects reports whether a request to u is as protected as one to the issuer: https,
// or a loopback address if the issuer is one. A plaintext internal address protects
// nothing but itself.
func (s *site) protects(u *url.URL) bool {
	if s.internal != "" && u.Scheme == "http" {
		internal, err := url.Parse(s.internal)
		return err == nil && internal.Scheme == "http" && u.Host == internal.Host
	}
	return uri.IsProtected(u) && (u.Scheme == "https" || strings.HasPrefix(s.issuer, "http:"))
}

func (s *site) get(ctx context.Context, address, accept string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return read(response)
}

// A statusError is an answer without the document.
type statusError struct {
	code int
}

// Error leaves out the reason phrase, which is the server's.
func (e *statusError) Error() string {
	return fmt.Sprintf("the answer is %d %s", e.code, http.StatusText(e.code))
}

func read(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, &statusError{response.StatusCode}
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
func safeClient(base *http.Client, s *site) *http.Client {
	safe := &http.Client{Timeout: fetchTimeout}
	if base != nil {
		*safe = *base
	}
	follow := safe.CheckRedirect
	if follow == nil {
		follow = limitRedirects
	}
	safe.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if !s.protects(request.URL) {
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
