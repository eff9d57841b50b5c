package verifier

import (
	"context"
	"log/slog"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

var _ source = (*issuer)(nil)

// An issuer is the source of the JWTs of one issuer.
type issuer struct {
	header headerPolicy
	logout headerPolicy // of logout tokens
	known  headerMemo
	claims claimsPolicy
	keys   *keySet
	counts *counts
}

func newIssuer(config JWTConfig, logger *slog.Logger, now func() time.Time) *issuer {
	logout := newHeaderPolicy(config)
	logout.isLogout = true
	return &issuer{
		header: newHeaderPolicy(config),
		logout: logout,
		claims: claimsPolicy{issuer: config.Issuer, leeway: config.Leeway, mapping: &config.Mapping},
		keys:   newKeySet(config, logger, now),
		counts: new(counts),
	}
}

// holds implements [source]. An epoch is one of the keys.
func (i *issuer) holds(epoch uint64, now time.Time) bool { return i.keys.holds(epoch, now) }

// statistics implements [source].
func (i *issuer) statistics() *counts { return i.counts }

// verify implements [source].
func (i *issuer) verify(ctx context.Context, p presented) (*entry, error) {
	came := arrival{now: p.arrived, attempts: i.keys.attempts.Load()}
	if p.known != nil && p.known.source == source(i) && p.arrived.Before(p.known.info.Expiry) {
		keys, err := i.keys.load(ctx, p.arrived)
		if err != nil {
			return nil, err
		}
		if keys.epoch == p.known.epoch {
			return p.known, nil
		}
	}
	return i.verifyNew(ctx, p, came)
}

// verifyNew checks a token that is not known. Cheap checks come first: a token
// of another kind, or one that has expired, causes neither a signature check nor a
// fetch. Before the signature has been checked, JSON is scanned within bounds but
// never decoded, except for the header when there is a key to check it with.
func (i *issuer) verifyNew(ctx context.Context, p presented, came arrival) (*entry, error) {
	header, err := i.scanHeader(p.segments.Header)
	if err != nil {
		return nil, invalidPart("header", err)
	}
	if _, err := i.claims.checkPeriod(p.period, came.now); err != nil {
		return nil, invalidPart("claims", err)
	}
	signed := &signed{segments: p.segments, header: header, policy: &i.header}
	epoch, err := i.keys.verify(ctx, signed, came)
	if err != nil {
		return nil, err
	}
	i.known.put(signed.header)
	info, err := i.facts(signed, came.now)
	if err != nil {
		return nil, invalidPart("claims", err)
	}
	return &entry{info: info, source: i, epoch: epoch}, nil
}

func (i *issuer) scanHeader(segment string) (*header, error) {
	if known := i.known.find(segment); known != nil {
		return known, nil
	}
	return i.header.scan(segment)
}

// facts decodes the claims of a token whose signature is correct, and judges them.
func (i *issuer) facts(s *signed, now time.Time) (*token.Info, error) {
	claims, err := jwt.ParseObject(s.payload)
	if err != nil {
		return nil, err
	}
	return i.claims.check(claims, s.header.typed, now)
}
