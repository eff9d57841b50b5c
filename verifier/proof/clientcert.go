package proof

import (
	"encoding/base64"
	"errors"
	"strings"
)

// parseClientCert returns the hash of the certificate in a Client-Cert field (RFC
// 9440 §2.2): a byte sequence of a structured field (RFC 8941 §3.3.5).
//
// RFC 9440 calls the value a Byte Sequence, and defines no parameters. A value with
// parameters is refused, like a list, because their meaning is not known. Padding may
// be missing, and unused bits may be set, as RFC 8941 §4.2.7 asks of parsers: the hash
// is that of the decoded bytes.
func parseClientCert(value string) (certificateHash, error) {
	encoded, hasStart := strings.CutPrefix(strings.Trim(value, " "), ":")
	encoded, after, hasEnd := strings.Cut(encoded, ":")
	switch {
	case !hasStart || !hasEnd:
		return certificateHash{}, errors.New("not a byte sequence")
	case after != "":
		return certificateHash{}, errors.New("text after the byte sequence")
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(encoded, "=") {
		encoding = base64.StdEncoding
	}
	hash, ok := hashBase64(encoding, encoded)
	if !ok || strings.ContainsAny(encoded, "\r\n") { // which the decoder skips
		return certificateHash{}, errors.New("not base64 of a certificate")
	}
	return hash, nil
}
