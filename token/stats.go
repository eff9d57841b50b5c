package token

// Stats are counts of what a [Verifier] has done since it was made, for metrics.
// That of package verifier returns them. All but CacheEntries only grow.
type Stats struct {
	// Issuer is the issuer whose tokens are counted. It is empty for the sum of all.
	Issuer string
	// Valid, Invalid and Unavailable count the calls of VerifyToken by their
	// result: facts, [ErrInvalid] and [ErrUnavailable]. Valid includes the calls
	// that the cache answered.
	Valid, Invalid, Unavailable uint64
	// KeySetFetches and KeySetFailures count the fetches of the key set that have
	// ended, with usable keys and without.
	KeySetFetches, KeySetFailures uint64
	// CacheHits and CacheMisses count the tokens that the cache answered, and those
	// that it did not, forged ones included. Both are zero without a cache.
	CacheHits, CacheMisses uint64
	// CacheEntries is the number of entries in the cache at the moment. It is
	// bounded. The issuers share the cache, so it is zero for a single one.
	CacheEntries uint64
	// Issuers are the counts of each issuer. Tokens that belong to none are in the
	// sum alone. It is nil in the counts of an issuer.
	Issuers []Stats
}
