package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"
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
			issuer:      config.Issuer,
			leeway:      config.Leeway,
			scopeClaims: config.ScopeClaims,
			keep:        config.Claims,
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
// that fails one of them causes neither a signature check nor a fetch.
func (i *issuer) verifyNew(ctx context.Context, raw string, came arrival) (*entry, error) {
	c, err := parseCompact(raw)
	if err != nil {
		return nil, invalid(err)
	}
	payload, err := encoding.DecodeString(c.payload)
	if err != nil {
		return nil, invalid(errors.New("claims: not base64url"))
	}
	claims, err := parseObject(payload)
	if err != nil {
		return nil, invalid(fmt.Errorf("claims: %w", err))
	}
	info, err := i.claims.check(claims, came.now)
	if err != nil {
		return nil, invalid(err)
	}
	epoch, err := i.checkSignature(ctx, c, payload, came)
	if err != nil {
		return nil, err
	}
	return &entry{info: info, source: i, epoch: epoch}, nil
}

// checkSignature checks the header of a token, and its signature over that
// header and the given payload. It returns the epoch of the keys that it used.
func (i *issuer) checkSignature(ctx context.Context, c compact, payload []byte, came arrival) (uint64, error) {
	header, err := i.parseHeader(c.header)
	if err != nil {
		return 0, invalid(fmt.Errorf("header: %w", err))
	}
	signature, err := encoding.DecodeString(c.signature)
	if err != nil {
		return 0, invalid(errors.New("signature: not base64url"))
	}
	epoch, err := i.keys.verify(ctx, signed{header.jws(signature), payload, header.key}, came)
	if err != nil {
		return 0, err
	}
	i.known.put(header)
	return epoch, nil
}

func (i *issuer) parseHeader(segment string) (*header, error) {
	if known := i.known.find(segment); known != nil {
		return known, nil
	}
	return i.header.parse(segment)
}
