package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

var _ source = (*introspector)(nil)

// An introspector is the source of the opaque tokens of one authorization server.
type introspector struct {
	issuer   string
	isInfo   bool // of a tokeninfo endpoint
	claims   claimsPolicy
	unbound  string // the audience of a token without one
	lifetime time.Duration
	endpoint *endpoint
	salt     []byte // of the keys in the cache
	start    time.Time
	flights  flights
	cache    *cache // that of the front, nil if nothing is cached
	refusals *refusals
	counts   *counts
}

func newIntrospector(config IntrospectionConfig, logger *slog.Logger, now func() time.Time) *introspector {
	return &introspector{
		issuer:   config.Issuer,
		isInfo:   config.TokenInfo,
		claims:   claimsPolicy{issuer: config.Issuer, leeway: config.Leeway, mapping: &config.Mapping},
		unbound:  config.AudienceOfUnbound,
		lifetime: config.AnswerLifetime,
		endpoint: newEndpoint(config, logger, now),
		salt:     []byte(config.Issuer + "\x00" + config.Endpoint + "\x00"),
		start:    now(),
		refusals: newRefusals(config.RefusalLifetime),
		counts:   new(counts),
	}
}

// A digest is the key of a token in the cache, in place of the token itself
// (R7662-4). It begins with a space, which no token has, so it is no JWT.
type digest [sha256.Size]byte

// digest returns the key of a token: a hash of it, of the issuer and of the endpoint.
func (i *introspector) digest(buffer *digest, raw string) []byte {
	var text [512]byte
	*buffer = sha256.Sum256(append(append(text[:0], i.salt...), raw...))
	buffer[0] = ' '
	return buffer[:]
}

// statistics implements [source].
func (i *introspector) statistics() *counts { return i.counts }

// holds implements [source]. An epoch is the time until which an answer holds, since
// the start of the source.
func (i *introspector) holds(epoch uint64, now time.Time) bool {
	return now.Sub(i.start) < time.Duration(epoch) //nolint:gosec // It was made of a duration.
}

// verify implements [source].
func (i *introspector) verify(ctx context.Context, p presented) (*entry, error) {
	var buffer digest
	key := digest(i.digest(&buffer, p.raw))
	if reason := i.refusals.find(key, p.arrived); reason != nil {
		return nil, invalid(reason)
	}
	// The result of a request is remembered before the request ends. A caller that finds
	// none running therefore looks again, and no token is asked about twice.
	again := func() (*entry, error) {
		now := i.endpoint.now()
		if known := i.cache.get(string(key[:])); known != nil && known.valid(now) {
			return known, nil
		}
		if reason := i.refusals.find(key, now); reason != nil {
			return nil, invalid(reason)
		}
		return nil, nil //nolint:nilnil // Nothing is known.
	}
	isRenewal := p.known != nil && !p.known.info.Expired(p.arrived)
	return i.flights.join(ctx, key, isRenewal, again, func(ctx context.Context) (*entry, error) {
		answer, err := i.endpoint.ask(ctx, p.raw)
		if err != nil {
			return nil, unavailable(err)
		}
		answered, err := i.judge(answer, i.endpoint.now())
		if err != nil {
			i.refusals.put(key, err, i.endpoint.now())
			return nil, invalid(err)
		}
		i.cache.put(string(key[:]), answered)
		return answered, nil
	})
}

var (
	errInactive = errors.New("the authorization server says that it is not active")
	errUnbound  = errors.New("its token_type is DPoP, and the answer has no cnf")
)

// judge returns the facts in an answer (RFC 7662 §2.2).
func (i *introspector) judge(answer jwt.Object, now time.Time) (*entry, error) {
	if active, ok := answer["active"].(bool); !ok || !active {
		return nil, errInactive
	}
	if i.isInfo {
		if err := adaptTokenInfo(answer, i.claims.mapping.Audiences); err != nil {
			return nil, err
		}
	}
	if answer.Has("iss") && answer["iss"] != i.issuer {
		issuer, _ := answer["iss"].(string)
		return nil, fmt.Errorf("the answer has another issuer: %w", &issuerError{issuer, []string{i.issuer}})
	}
	period, err := answer.Period()
	if err != nil {
		return nil, err
	}
	expiry, err := i.claims.checkDates(period, now)
	if err != nil {
		return nil, err
	}
	if err := checkKind(answer, !i.isInfo); err != nil { // A tokeninfo endpoint knows ID tokens, too.
		return nil, err
	}
	if audience, isList := answer["aud"].([]any); i.unbound != "" && (!answer.Has("aud") || isList && len(audience) == 0) {
		answer["aud"] = i.unbound
	}
	info := &token.Info{Issuer: i.issuer, Expiry: expiry, IssuedAt: period.IssuedAt.At}
	if err := i.claims.mapping.gather(info, answer); err != nil {
		return nil, err
	}
	if kind, _ := answer["token_type"].(string); strings.EqualFold(kind, "DPoP") && len(info.Confirmation) == 0 {
		return nil, errUnbound // as a bearer token it could be used without its key
	}
	until := now.Sub(i.start) + i.lifetime
	return &entry{info: info, source: i, epoch: uint64(max(0, until))}, nil
}
