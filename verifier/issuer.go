package verifier

import (
	"context"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

var _ source = (*issuer)(nil)

// An issuer is the source of the tokens of one OpenID provider.
type issuer struct {
	header headerPolicy
	known  headerMemo
	claims claimsPolicy
	keys   *keySet
}

func newIssuer(config JWTConfig, now func() time.Time) *issuer {
	return &issuer{
		header: newHeaderPolicy(config),
		claims: claimsPolicy{
			issuer:              config.Issuer,
			leeway:              config.Leeway,
			allowMissingSubject: config.AllowMissingSubject,
			scopeClaims:         config.ScopeClaims,
			keep:                config.Claims,
		},
		keys: newKeySet(config, now),
	}
}

// holds implements [source].
func (i *issuer) holds(epoch uint64, now time.Time) bool { return i.keys.holds(epoch, now) }

// verify implements [source].
func (i *issuer) verify(ctx context.Context, raw string, arrived time.Time, known *entry) (*entry, error) {
	came := arrival{now: arrived, attempts: i.keys.attempts.Load()}
	if known != nil && arrived.Before(known.info.Expiry) {
		keys, err := i.keys.load(ctx, arrived)
		if err != nil {
			return nil, err
		}
		if keys.epoch == known.epoch {
			return known, nil
		}
	}
	return i.verifyNew(ctx, raw, came)
}

// verifyNew checks a token that is not known. Cheap checks come first: a token
// of another kind or issuer, or one that has expired, causes neither a signature
// check nor a fetch. Before the signature has been checked, JSON is scanned within
// bounds but never decoded, except for the header when there is a key to check
// it with.
func (i *issuer) verifyNew(ctx context.Context, raw string, came arrival) (*entry, error) {
	segments, err := jwt.ParseCompact(raw)
	if err != nil {
		return nil, invalid(err)
	}
	header, err := i.scanHeader(segments.Header)
	if err != nil {
		return nil, invalidPart("header", err)
	}
	if err := i.claims.scan(segments.Payload, came.now); err != nil {
		return nil, invalidPart("claims", err)
	}
	signed := &signed{segments: segments, header: header, policy: &i.header}
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
