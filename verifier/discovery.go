package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// places returns the addresses at which an issuer may publish its metadata, the
// most common one first: OpenID Connect Discovery §4.1, RFC 8414 §3.1, and those
// of RFC 8414 §5 with the two suffixes exchanged.
func places(base string) []string {
	const openID, oauth = oidc.DiscoveryEndpoint, "/.well-known/oauth-authorization-server"
	u, err := url.Parse(base)
	if err != nil {
		return nil // the configuration was rejected
	}
	host, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	list := []string{host + path + openID, host + oauth + path}
	if path != "" {
		list = append(list, host+openID+path, host+path+oauth)
	}
	return list
}

// An absenceError is the reason why an address has no metadata of the issuer. It
// does not mean that the issuer cannot be reached.
type absenceError struct{ cause error }

func (a *absenceError) Error() string { return a.cause.Error() }
func (a *absenceError) Unwrap() error { return a.cause }

// metadata discovers the address of one endpoint of an issuer. It is used by one
// goroutine at a time.
type metadata struct {
	site   *site
	member func(*oidc.DiscoveryConfiguration) (name, address string)
	places []string // where the metadata may be
	place  int      // where it was the last time
}

func newMetadata(s *site, member func(*oidc.DiscoveryConfiguration) (name, address string)) metadata {
	return metadata{site: s, member: member, places: places(s.base())}
}

func jwksURI(c *oidc.DiscoveryConfiguration) (name, address string) { return "jwks_uri", c.JwksURI }

func introspectionEndpoint(c *oidc.DiscoveryConfiguration) (name, address string) {
	return "introspection_endpoint", c.IntrospectionEndpoint
}

// discover returns the address of the key set. It asks the place that had the
// metadata the last time. It asks the others only if that place has none: an
// issuer that cannot answer would not answer there either, and what another
// place says may be out of date.
func (p *metadata) discover(ctx context.Context) (*url.URL, error) {
	var found error
	for i := range p.places {
		place := (p.place + i) % len(p.places)
		address, err := p.discoverAt(ctx, p.places[place])
		if err == nil {
			p.place = place
			return address, nil
		}
		err = fmt.Errorf("%s: %w", p.places[place], err)
		if _, ok := errors.AsType[*absenceError](err); !ok {
			return nil, err
		}
		// A document says more about the cause than a status does.
		if _, ok := errors.AsType[*statusError](found); found == nil || ok {
			found = err
		}
	}
	return nil, fmt.Errorf("not at any of %d places: %w", len(p.places), found)
}

// discoverAt returns the address of the endpoint in the metadata at a place. The
// error is an absenceError if the metadata of the issuer is not there.
func (p *metadata) discoverAt(ctx context.Context, place string) (*url.URL, error) {
	document, err := p.site.get(ctx, place, "application/json")
	if isAbsence(err) {
		return nil, &absenceError{err}
	}
	if err != nil {
		return nil, err
	}
	address, err := p.parseMetadata(document)
	if err != nil {
		return nil, &absenceError{err}
	}
	return address, nil
}

// isAbsence reports whether an answer means that there is nothing at an address,
// rather than that the server cannot answer now. Servers that do not know a path
// answer with many statuses, and some redirect to a page for people.
func isAbsence(err error) bool {
	if errors.Is(err, errRedirect) {
		return true
	}
	status, ok := errors.AsType[*statusError](err)
	if !ok {
		return false
	}
	switch status.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return status.code < http.StatusInternalServerError || status.code == http.StatusNotImplemented
	}
}

// parseMetadata returns the address in a metadata document (RFC 8414 §2) of the
// issuer. The document is believed only if it names the issuer (RFC 8414 §3.3).
func (p *metadata) parseMetadata(document []byte) (*url.URL, error) {
	// The decoder of go-jose is case-sensitive. In encoding/json, "Issuer" would
	// override "issuer".
	var metadata *oidc.DiscoveryConfiguration
	if err := json.Unmarshal(document, &metadata); err != nil {
		return nil, fmt.Errorf("not a metadata document: %s", jwt.Quote(err.Error()))
	}
	switch {
	case metadata == nil:
		return nil, errors.New("not a metadata document: null")
	case metadata.Issuer == p.site.issuer:
		return p.parseAddress(p.member(metadata))
	case strings.Contains(metadata.Issuer, "{"):
		return nil, fmt.Errorf("issuer is %s, which stands for many tenants: set Issuer to that of one", jwt.Quote(metadata.Issuer))
	default:
		return nil, fmt.Errorf("issuer is %s, expected %s", jwt.Quote(metadata.Issuer), jwt.Quote(p.site.issuer))
	}
}

func (p *metadata) parseAddress(name, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s is %s, which is not a URL", name, jwt.Quote(address))
	}
	u = p.site.reach(u)
	if !p.site.protects(u) {
		return nil, fmt.Errorf("%s is %s, which is less protected than the issuer", name, jwt.Quote(address))
	}
	return u, nil
}
