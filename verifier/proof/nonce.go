package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

const (
	// nonceMAC is the length of the truncated MAC of a nonce, in bytes. 128 bits
	// cannot be guessed, and RFC 2104 §5 wants half of the hash.
	nonceMAC = sha256.Size / 2
	// nonceSlot is the length of the slot in a nonce, in bytes.
	nonceSlot = 8
	// nonceLabel keeps the MACs apart from those of other programs with the key.
	nonceLabel = "drawbridge DPoP nonce"
)

// A nonceError is the reason for which the nonce of a proof is not accepted.
type nonceError string

func (e nonceError) Error() string { return string(e) }

const (
	errNonceMissing nonceError = "the nonce is missing"
	errNonceForeign nonceError = "the nonce was not made with any of the keys"
	errNonceStale   nonceError = "the nonce is stale"
)

// nonces makes and checks nonces (RFC 9449 §9), and stores none. A nonce consists of
// the number of a time slot and its MAC. All clients get the same one in a slot: it
// proves when a proof was made, not by whom.
type nonces struct {
	keys     [][]byte // the first one makes nonces
	lifetime time.Duration
}

// at returns the nonce of the time slot in which now is.
func (n *nonces) at(now time.Time) string {
	nonce := n.sealed(n.keys[0], n.slot(now))
	return jwt.Encoding.EncodeToString(nonce[:])
}

// check accepts the nonces of this slot and of the two beside it. One of the next
// slot comes from a replica whose clock is ahead.
func (n *nonces) check(nonce string, now time.Time) error {
	var got [nonceSlot + nonceMAC]byte
	switch {
	case nonce == "":
		return errNonceMissing
	case len(nonce) != jwt.Encoding.EncodedLen(len(got)) || strings.ContainsAny(nonce, "\r\n"):
		return errNonceForeign
	}
	if _, err := jwt.Encoding.Decode(got[:], []byte(nonce)); err != nil {
		return errNonceForeign
	}
	slot := binary.BigEndian.Uint64(got[:])
	isOurs := slices.ContainsFunc(n.keys, func(key []byte) bool {
		want := n.sealed(key, slot)
		return hmac.Equal(got[:], want[:])
	})
	switch current := n.slot(now); {
	case !isOurs:
		return errNonceForeign
	case slot+1 < current || slot > current+1:
		return errNonceStale
	default:
		return nil
	}
}

func (n *nonces) slot(now time.Time) uint64 {
	return uint64(max(0, now.UnixNano()) / int64(n.lifetime)) //nolint:gosec // It is not negative.
}

// sealed returns the number of a slot and its MAC.
func (n *nonces) sealed(key []byte, slot uint64) (nonce [nonceSlot + nonceMAC]byte) {
	binary.BigEndian.PutUint64(nonce[:], slot)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(nonceLabel))
	mac.Write(nonce[:nonceSlot])
	var sum [sha256.Size]byte
	copy(nonce[nonceSlot:], mac.Sum(sum[:0]))
	return nonce
}
