package authtest

import "fmt"

// RotateKeys replaces the signing key of each algorithm by one with a new key
// ID. The old keys stay published until [Issuer.WithdrawOldKeys]. A verifier
// that has fetched the keys within the last second may report a token of the
// new key as unavailable (see package verifier).
func (i *Issuer) RotateKeys() {
	i.reporter.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, old := range i.signing {
		k, err := i.newKey(old.algorithm)
		if err != nil {
			i.reporter.Errorf("authtest: %v", err)
			return
		}
		i.signing[n] = k
		i.retired = append(i.retired, old)
	}
}

// WithdrawOldKeys removes the keys that [Issuer.RotateKeys] has replaced from
// the key set. A verifier must refuse their tokens once it has fetched the set
// again.
func (i *Issuer) WithdrawOldKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.withdrawn = append(i.withdrawn, i.retired...)
	i.retired = nil
}

// newKey generates a key with a new ID. The caller holds i.mu, or is start.
func (i *Issuer) newKey(algorithm string) (*key, error) {
	i.nextKey++
	return generateKey(fmt.Sprintf("%s-%d", algorithm, i.nextKey), algorithm)
}

// recycleKeys returns the RSA keys to the pool.
func (i *Issuer) recycleKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, keys := range [][]*key{i.signing, i.retired, i.withdrawn, i.strangers} {
		for _, k := range keys {
			k.recycle()
		}
	}
}
