package verifier

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
)

const defaultCacheSize = 10_000

// Config configures a [Verifier]. At least one issuer is required. [New] copies
// what it needs; later changes have no effect.
type Config struct {
	// JWT are the issuers whose tokens are JWTs. A token belongs to the one that its
	// iss claim names, byte for byte.
	JWT []JWTConfig

	// Introspection are the authorization servers that are asked about every other
	// token: opaque ones, and JWTs of issuers that are not in JWT. A token is shown
	// to one of them only, that of the resource it was presented to; two for one
	// resource are a fault. An issuer may be in both lists.
	Introspection []IntrospectionConfig

	// CacheSize is the maximum number of verified tokens to remember, so that
	// each signature is checked once. An entry is not used after the token has
	// expired, or after a refresh has found that a key was withdrawn. Zero
	// means 10,000; a negative number disables the cache.
	//
	// An entry takes the length of its token, or that of a hash if the token is opaque,
	// about half a kilobyte, and the kept claims: scopes, audience and those in Claims.
	// This amounts to one or two kilobytes for common tokens. Tokens longer than 4 KiB are not
	// remembered; one of that length whose kept claims are hundreds of small objects
	// takes up to 150 KiB. Only the issuer can make such tokens.
	CacheSize int

	// MaxCutoffs is the maximum number of cut-offs to hold, see [Verifier.CutOff], in
	// about 200 bytes each. Where there are several issuers, one has at most half of them.
	// Zero means 100,000.
	MaxCutoffs int

	// CutoffLifetime is how long a cut-off is held: at least as long as a token lives,
	// because one that lives longer is accepted again afterwards. Zero means 24 hours.
	CutoffLifetime time.Duration

	// Logger receives a warning if the key set cannot be fetched, and a message
	// when it can be fetched again. If a key in the set cannot be used, it receives
	// one message that says which and why, and another one if that changes
	// (RFC 7517 §5). Nil means slog.Default.
	Logger *slog.Logger
}

// check reports all faults of the configuration.
func (c Config) check() error {
	faults := fault.List{Within: "verifier: "}
	if len(c.JWT) == 0 && len(c.Introspection) == 0 {
		faults.Add("JWT", "", "has no issuer, and Introspection has none", "configure at least one")
	}
	if c.MaxCutoffs < 0 {
		faults.Add("MaxCutoffs", strconv.Itoa(c.MaxCutoffs), "is negative", "")
	}
	if c.CutoffLifetime < 0 {
		faults.Add("CutoffLifetime", c.CutoffLifetime.String(), "is negative", "")
	}
	seen := make(map[string]bool)
	for i := range c.JWT {
		place := fmt.Sprintf("JWT[%d].", i)
		c.JWT[i].check(&faults, place)
		if seen[c.JWT[i].Issuer] {
			faults.Add(place+"Issuer", c.JWT[i].Issuer, "is there twice", "")
		}
		seen[c.JWT[i].Issuer] = true
	}
	clear(seen)
	for i := range c.Introspection {
		place := fmt.Sprintf("Introspection[%d].", i)
		c.Introspection[i].check(&faults, place)
		if seen[c.Introspection[i].Issuer] {
			faults.Add(place+"Issuer", c.Introspection[i].Issuer, "is there twice", "")
		}
		seen[c.Introspection[i].Issuer] = true
	}
	return faults.Err()
}

// copied returns c with its zero fields filled in, sharing no memory with it.
func (c Config) copied() Config {
	r := c
	r.JWT = make([]JWTConfig, len(c.JWT))
	for i := range c.JWT {
		r.JWT[i] = c.JWT[i].copied()
	}
	r.Introspection = make([]IntrospectionConfig, len(c.Introspection))
	for i := range c.Introspection {
		r.Introspection[i] = c.Introspection[i].copied()
	}
	r.CacheSize = cmp.Or(r.CacheSize, defaultCacheSize)
	r.MaxCutoffs = cmp.Or(r.MaxCutoffs, defaultMaxCutoffs)
	r.CutoffLifetime = cmp.Or(r.CutoffLifetime, defaultCutoffLifetime)
	return r
}
