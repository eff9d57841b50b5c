package verifier

import (
	"context"
	"fmt"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// A provider fetches the keys that an issuer publishes. It makes one fetch at a
// time.
type provider struct {
	metadata   metadata
	algorithms []string
}

func newProvider(config JWTConfig) *provider {
	site := newSite(config.Issuer, config.InternalURL, config.HTTPClient)
	return &provider{metadata: newMetadata(site, jwksURI), algorithms: config.Algorithms}
}

// fetch returns the keys that are published. It discovers the address of the key
// set each time, because an issuer may move it.
//
// Its errors do not unwrap: the deadline of the fetch is not the caller's.
func (p *provider) fetch(ctx context.Context) (published, error) {
	address, err := p.metadata.discover(ctx)
	if err != nil {
		return published{}, fmt.Errorf("metadata: %s", jwt.Printable(err.Error()))
	}
	document, err := p.metadata.site.get(ctx, address.String(), "application/jwk-set+json, application/json")
	if err != nil {
		return published{}, fmt.Errorf("key set: %s", jwt.Printable(err.Error()))
	}
	keys, err := parseKeySet(document, p.algorithms)
	if err != nil {
		return published{}, fmt.Errorf("key set: %s", jwt.Printable(err.Error()))
	}
	return keys, nil
}
