package verifier

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
)

// The bounds of the description of unusable keys: their number, and its length in
// bytes.
const (
	maxListed = 8
	maxList   = 1 << 10
)

// published is a key set as it was fetched.
type published struct {
	keys     []*publicKey
	unusable unusableKeys
}

// An unusableKey is one that was passed over.
type unusableKey struct {
	id     string // empty if it has none that can be read
	reason error
}

func newUnusableKey(raw []byte, reason error) unusableKey {
	var named struct {
		ID string `json:"kid"`
	}
	if err := json.Unmarshal(raw, &named); err != nil {
		named.ID = ""
	}
	return unusableKey{id: named.ID, reason: reason}
}

func (k unusableKey) String() string {
	name := "no kid"
	if k.id != "" {
		name = "kid " + jwt.Quote(k.id)
	}
	return name + ": " + k.describe()
}

func (k unusableKey) describe() string {
	return jwt.Clip(jwt.Printable(k.reason.Error()), jwt.MaxQuoted)
}

// unusableKeys are those of one key set.
type unusableKeys []unusableKey

// String lists the first few keys, in an order that does not depend on that of the
// key set.
func (u unusableKeys) String() string {
	texts := make([]string, 0, len(u))
	for _, key := range u {
		texts = append(texts, key.String())
	}
	slices.Sort(texts)
	if more := len(texts) - maxListed; more > 0 {
		texts = append(texts[:maxListed], fmt.Sprintf("%d more", more))
	}
	return jwt.Clip(strings.Join(texts, "; "), maxList)
}

// level is lower if no key is for signatures in the first place.
func (u unusableKeys) level() slog.Level {
	for _, key := range u {
		if _, ok := errors.AsType[*purposeError](key.reason); !ok {
			return slog.LevelWarn
		}
	}
	return slog.LevelInfo
}

// reasonFor returns why the key of that ID was passed over, or "".
func (u unusableKeys) reasonFor(id string) string {
	for _, key := range u {
		if key.id == id && id != "" {
			return key.describe()
		}
	}
	return ""
}
