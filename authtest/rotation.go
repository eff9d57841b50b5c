package authtest

import (
	"crypto/rsa"
	"fmt"
)

// RotateKeys replaces the signing key of every algorithm by a new one with a
// new key id. The old keys stay published until [Issuer.WithdrawOldKeys]. A
// verifier that has fetched the keys within the last second cannot tell yet
// whether a token of the new key is good.
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

// WithdrawOldKeys takes every key out of the key set that [Issuer.RotateKeys]
// has replaced. Tokens that were signed with one should now be refused.
func (i *Issuer) WithdrawOldKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.withdrawn = append(i.withdrawn, i.retired...)
	i.retired = nil
}

// newKey makes a key with an id of its own. The caller holds i.mu, or is
// NewIssuer.
func (i *Issuer) newKey(algorithm string) (*key, error) {
	i.nextKey++
	return generateKey(fmt.Sprintf("%s-%d", algorithm, i.nextKey), algorithm)
}

// recycleKeys gives the RSA keys back for later issuers.
func (i *Issuer) recycleKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, keys := range [][]*key{i.signing, i.retired, i.withdrawn, i.strangers} {
		for _, k := range keys {
			if private, ok := k.signer.(*rsa.PrivateKey); ok {
				spareRSA.put(private)
			}
		}
	}
}
