package verifier

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/uri"
)

// tenants are the issuers that one pattern stands for. Each is made when its first
// token arrives. Those with keys are never dropped, because their number is bounded.
type tenants struct {
	config  JWTConfig
	pattern uri.Pattern
	logger  *slog.Logger
	now     func() time.Time
	counts  *counts

	mu     sync.RWMutex
	known  map[string]*issuer
	isFull bool      // whether that was logged
	spaced time.Time // when a place was taken from a tenant
}

func newTenants(config JWTConfig, logger *slog.Logger, now func() time.Time) *tenants {
	pattern, _ := uri.ParsePattern(config.Issuer) // which was checked
	return &tenants{
		config: config, pattern: pattern, logger: logger, now: now,
		counts: new(counts), known: make(map[string]*issuer),
	}
}

// allows reports whether a tenant may be made known.
func (t *tenants) allows(tenant string) bool {
	if t.config.AcceptTenant != nil {
		return t.config.AcceptTenant(tenant)
	}
	return slices.Contains(t.config.Tenants, tenant)
}

// accepts reports whether tokens of an issuer are accepted. The pattern itself
// stands for all tenants.
func (t *tenants) accepts(issuer string) bool {
	if issuer == t.config.Issuer {
		return true
	}
	tenant, ok := t.pattern.Tenant(issuer)
	return ok && t.allows(tenant)
}

// issuer returns the issuer of a tenant.
func (t *tenants) issuer(tenant string) (*issuer, error) {
	if !t.allows(tenant) {
		return nil, invalidPart("claims", fmt.Errorf("iss names the tenant %s, which is not accepted", jwt.Quote(tenant)))
	}
	t.mu.RLock()
	found := t.known[tenant]
	t.mu.RUnlock()
	if found != nil {
		return found, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.known[tenant]; found != nil {
		return found, nil
	}
	if len(t.known) >= t.config.MaxTenants && !t.makeSpace() {
		if !t.isFull {
			t.isFull = true
			logOf(t.logger).Warn("no further tenant of the issuer is accepted: see MaxTenants",
				slog.String("issuer", t.config.Issuer), slog.Int("tenants", len(t.known)))
		}
		return nil, unavailable(fmt.Errorf("%d tenants are known already: see MaxTenants", len(t.known)))
	}
	config := t.config
	config.Issuer = t.pattern.Issuer(tenant)
	found = newIssuer(config, t.logger, t.now)
	found.counts = t.counts
	t.known[tenant] = found
	return found, nil
}

// makeSpace drops a tenant whose keys were never found, at most one each second. A
// forged token makes a tenant known as well as a good one does, so that places would
// otherwise be lost for good. The caller holds t.mu.
func (t *tenants) makeSpace() bool {
	if now := t.now(); now.Sub(t.spaced) < coolDown {
		return false
	}
	for tenant, i := range t.known {
		if i.keys.current.Load() == nil && i.keys.isIdle() {
			delete(t.known, tenant)
			t.spaced = t.now()
			return true
		}
	}
	return false
}

// sets returns the key sets of the tenants that are known.
func (t *tenants) sets() []*keySet {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var sets []*keySet
	for _, i := range t.known {
		sets = append(sets, i.keys)
	}
	return sets
}
