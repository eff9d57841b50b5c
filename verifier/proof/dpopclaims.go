package proof

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// maxProofID bounds the jti of a proof, in bytes.
const maxProofID = 256

// proofClaims are the claims of a proof (RFC 9449 §4.2) that are required.
type proofClaims struct {
	method, url, id, hash string
	issued                time.Time

	period jwt.Period
	all    jwt.Object
}

// readProofClaims decodes the second segment of a proof.
func readProofClaims(segment string) (payload []byte, claims *proofClaims, err error) {
	if payload, err = jwt.DecodeSegment(nil, segment); err != nil {
		return nil, nil, err
	}
	if err := jwt.ScanObject(payload, nil); err != nil {
		return nil, nil, err
	}
	all, err := jwt.ParseObject(payload)
	if err != nil {
		return nil, nil, err
	}
	claims = &proofClaims{all: all}
	for _, claim := range [...]struct {
		name string
		text *string
	}{{"htm", &claims.method}, {"htu", &claims.url}, {"jti", &claims.id}, {"ath", &claims.hash}} {
		if *claim.text, err = all.RequiredText(claim.name); err != nil {
			return nil, nil, err
		}
	}
	if claims.period, err = all.Period(); err != nil {
		return nil, nil, err
	}
	if !claims.period.IssuedAt.Present {
		return nil, nil, errors.New("iat is missing")
	}
	claims.issued = claims.period.IssuedAt.At
	return payload, claims, nil
}

// checkClaims compares the claims of a proof with the request (RFC 9449 §4.3, checks
// 8 to 12).
func (d *DPoP) checkClaims(c *proofClaims, req token.Request, now time.Time) error {
	if len(c.id) > maxProofID {
		return fmt.Errorf("jti is longer than %d bytes", maxProofID)
	}
	if err := d.targets.check(c.method, c.url, req); err != nil {
		return err
	}
	if hash := sha256.Sum256([]byte(req.Raw)); c.hash != jwt.Encoding.EncodeToString(hash[:]) {
		return errors.New("ath is not the hash of this token")
	}
	if err := d.checkPeriod(c, now); err != nil {
		return err
	}
	if d.nonces == nil {
		return nil
	}
	nonce, err := c.all.Text("nonce")
	if err != nil {
		return err
	}
	return d.nonces.check(nonce, now)
}

// checkPeriod checks the dates of a proof.
func (d *DPoP) checkPeriod(c *proofClaims, now time.Time) error {
	usable, earliest := d.usableUntil(c.issued), now.Add(d.leeway)
	expiry, notBefore := c.period.Expiry, c.period.NotBefore
	switch {
	case now.After(usable):
		return fmt.Errorf("iat is %s ago, expected at most %s (Lifetime %s, Leeway %s)",
			now.Sub(c.issued).Round(time.Second), d.lifetime+d.leeway, d.lifetime, d.leeway)
	case c.issued.After(earliest):
		return fmt.Errorf("iat is %s in the future (Leeway %s)", c.issued.Sub(now).Round(time.Second), d.leeway)
	case expiry.Present && !now.Before(expiry.At.Add(d.leeway)):
		return fmt.Errorf("expired %s ago (Leeway %s)", now.Sub(expiry.At).Round(time.Second), d.leeway)
	case notBefore.Present && notBefore.At.After(earliest):
		return fmt.Errorf("nbf is %s in the future (Leeway %s)", notBefore.At.Sub(now).Round(time.Second), d.leeway)
	default:
		return nil
	}
}

// heldUntil returns until when a store holds a proof that is used now. That is later than the
// proof is accepted, and does not depend on its iat: that may be ahead by the leeway, and the
// clock of another replica behind by as much, and what matters to a store is the time from now
// on.
func (d *DPoP) heldUntil(now time.Time) time.Time {
	return now.Add(d.lifetime + 3*d.leeway + replicaSkew)
}

// usableUntil returns the last instant at which a proof is accepted.
func (d *DPoP) usableUntil(issued time.Time) time.Time { return issued.Add(d.lifetime + d.leeway) }
