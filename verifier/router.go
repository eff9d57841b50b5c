package verifier

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxIssuer bounds the iss claim of a token, in bytes as it is written.
const maxIssuer = 2 << 10

// errNotJWS is prebuilt, because every opaque token gets it on its way.
var errNotJWS = invalid(jwt.ErrSegments)

// A router finds the source that a token belongs to. It is immutable.
type router struct {
	exact         map[string]source // by the issuer
	issuers       []*issuer         // the same
	tenants       []*tenants
	introspectors []*introspector
	expected      []string // the issuers, for errors
}

// route returns the source of a JWS whose iss is configured, and fills in what it
// found in the token. It believes nothing: the source judges the claims again, after
// the signature. Otherwise the error says why there is no such source.
func (r *router) route(p *presented) (source, error) {
	segments, err := jwt.ParseCompact(p.raw)
	if errors.Is(err, jwt.ErrSegments) {
		return nil, errNotJWS
	} else if err != nil {
		return nil, invalid(err)
	}
	found, period, err := r.scan(segments.Payload)
	if err != nil {
		return nil, err
	}
	p.segments, p.period = segments, period
	return found, nil
}

// scan looks for the issuer and the dates in claims without decoding them.
func (r *router) scan(payload string) (source, jwt.Period, error) {
	var buffer [1536]byte
	data, err := jwt.DecodeSegment(buffer[:], payload)
	if err != nil {
		return nil, jwt.Period{}, invalidPart("claims", err)
	}
	found := [...]jwt.Member{{Name: "iss"}, {Name: "exp"}, {Name: "nbf"}, {Name: "iat"}}
	if err := jwt.ScanObject(data, found[:]); err != nil {
		return nil, jwt.Period{}, invalidPart("claims", err)
	}
	source, err := r.find(found[0].In(data))
	if err != nil {
		return nil, jwt.Period{}, err
	}
	var period jwt.Period
	for i, at := range [...]*jwt.Date{&period.Expiry, &period.NotBefore, &period.IssuedAt} {
		if *at, err = jwt.ScanDate(found[1+i].Name, found[1+i].In(data)); err != nil {
			return nil, jwt.Period{}, invalidPart("claims", err)
		}
	}
	return source, period, nil
}

// find returns the issuer that an iss claim names, as it is written.
func (r *router) find(written []byte) (source, error) {
	if len(written) < 2 || written[0] != '"' || len(written) > maxIssuer {
		return nil, r.unknown(string(written[:min(len(written), 2*jwt.MaxQuoted)]))
	}
	name := string(written[1 : len(written)-1])
	if strings.IndexByte(name, '\\') >= 0 { // some encoders escape slashes
		if err := json.Unmarshal(slices.Clone(written), &name); err != nil {
			return nil, invalidPart("claims", fmt.Errorf("iss: %w", jwt.ErrNotJSON))
		}
	}
	if known, ok := r.exact[name]; ok {
		return known, nil
	}
	var refusal error
	for _, t := range r.tenants {
		tenant, ok := t.pattern.Tenant(name)
		if !ok {
			continue
		}
		known, err := t.issuer(tenant)
		if err == nil {
			return known, nil
		}
		refusal = cmp.Or(refusal, err) // Another pattern may stand for the same issuers.
	}
	if refusal != nil {
		return nil, refusal
	}
	return nil, r.unknown(name)
}

func (r *router) unknown(issuer string) error {
	return invalidPart("claims", &issuerError{strings.Trim(issuer, `"`), r.expected})
}

// introspectorOf returns the source that is asked about tokens which name no issuer,
// nil if there is none. The error says that it cannot be told.
func (r *router) introspectorOf(resource *token.Resource) (*introspector, error) {
	if resource == nil {
		switch len(r.introspectors) {
		case 0:
			return nil, nil //nolint:nilnil // There is none.
		case 1:
			return r.introspectors[0], nil
		default:
			return nil, errNoResource
		}
	}
	for _, i := range r.introspectors {
		if slices.Contains(resource.Issuers, i.issuer) {
			return i, nil
		}
	}
	return nil, nil //nolint:nilnil // There is none.
}

// accepts reports whether tokens of an issuer are accepted.
func (r *router) accepts(issuer string) bool {
	if _, ok := r.exact[issuer]; ok {
		return true
	}
	for _, t := range r.tenants {
		if t.accepts(issuer) {
			return true
		}
	}
	return slices.ContainsFunc(r.introspectors, func(i *introspector) bool { return i.issuer == issuer })
}

// mayHaveIssued reports whether tokens of an issuer may have been accepted at some time:
// those of a tenant may have been before AcceptTenant changed its mind.
func (r *router) mayHaveIssued(issuer string) bool {
	if uri.IsPattern(issuer) {
		return false // No token has it.
	}
	return r.accepts(issuer) || slices.ContainsFunc(r.tenants, func(t *tenants) bool {
		_, ok := t.pattern.Tenant(issuer)
		return ok
	})
}

// check returns the reason why tokens for a resource cannot be verified.
func (r *router) check(resource *token.Resource) error {
	var opaque []string
	for _, i := range r.introspectors {
		if slices.Contains(resource.Issuers, i.issuer) {
			opaque = append(opaque, i.issuer)
		}
	}
	if len(opaque) < 2 {
		return nil
	}
	return fmt.Errorf("a token that names no issuer could be of %q, and is shown to one of them only: give the resource one issuer with introspection", opaque)
}
