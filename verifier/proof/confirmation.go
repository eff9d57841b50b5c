package proof

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/token"
)

// confirmedHash returns the SHA-256 hash that a token names for a confirmation method, as
// it is written and decoded (RFC 9449 §6.1, RFC 8705 §3.1).
func confirmedHash(info *token.Info, method string) (text string, hash [sha256.Size]byte, err error) {
	text, ok := info.Confirmation[method].(string)
	if !ok {
		return "", hash, errors.New("the " + method + " in cnf is missing or not a string")
	}
	// The length keeps the decoder within the array. It skips line breaks.
	if len(text) != jwt.Encoding.EncodedLen(len(hash)) || strings.ContainsAny(text, "\r\n") {
		return "", hash, errors.New("the " + method + " in cnf is not a SHA-256 thumbprint")
	}
	if _, err := jwt.Encoding.Decode(hash[:], []byte(text)); err != nil {
		return "", hash, fmt.Errorf("the %s in cnf is %w", method, jwt.ErrNotBase64)
	}
	return text, hash, nil
}
