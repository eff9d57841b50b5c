package proof

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
)

// The reasons against an X-Forwarded-Client-Cert field. None of them has a part of
// it.
var (
	errXFCCSeveral = errors.New("more than one element")
	errXFCCPair    = errors.New("not pairs of a key and a value")
	errXFCCQuotes  = errors.New("misplaced or missing quotes")
	errXFCCTwice   = errors.New("a Hash or Cert is repeated in an element")
	errXFCCNeither = errors.New("neither a Hash nor a Cert")
	errXFCCHash    = errors.New("the Hash is not a SHA-256 hash in hexadecimal")
	errXFCCCert    = errors.New("the Cert is not one certificate as PEM in URL-encoding")
	errXFCCBoth    = errors.New("the Hash is not that of the Cert")
)

// parseXFCC returns the hash of the certificate in an X-Forwarded-Client-Cert field,
// in the format of Envoy: elements that are separated by commas, of pairs that are
// separated by semicolons. If several elements are allowed, the last one counts; the
// proxy next to this server added it.
//
// Envoy writes the URIs and DNS names of the client's certificate without quotes, and
// after the Hash. The only element of a field can be trusted nevertheless: a name that
// adds a Hash makes a repetition, one that adds a Cert a contradiction, and one that
// adds a comma a second element.
func parseXFCC(value string, appended bool) (certificateHash, error) {
	for rest := value; ; rest = rest[1:] {
		var element xfccElement
		var err error
		if rest, err = element.read(strings.TrimLeft(rest, " \t")); err != nil {
			return certificateHash{}, err
		}
		if rest == "" {
			return element.certificate()
		}
		if !appended {
			return certificateHash{}, errXFCCSeveral
		}
	}
}

// An xfccElement has the values of an element that count, still encoded.
type xfccElement struct {
	hash, cert       string
	hasHash, hasCert bool
}

// read reads an element. The rest is empty, or begins with the comma after it.
func (e *xfccElement) read(text string) (rest string, err error) {
	for {
		key, after, found := strings.Cut(text, "=")
		if !found || !isXFCCKey(key) {
			return "", errXFCCPair
		}
		value, rest, err := cutXFCCValue(after)
		if err != nil {
			return "", err
		}
		if !e.set(key, value) {
			return "", errXFCCTwice
		}
		if rest == "" || rest[0] == ',' {
			return rest, nil
		}
		text = rest[1:]
	}
}

// isXFCCKey reports whether a key has letters and digits only. Others could pass for
// a key elsewhere, such as one that ends with a space.
func isXFCCKey(key string) bool {
	for i := range len(key) {
		if c := key[i] | 0x20; (c < 'a' || c > 'z') && (key[i] < '0' || key[i] > '9') {
			return false
		}
	}
	return key != ""
}

// set keeps a value that counts. It reports false for a repetition. Envoy repeats
// By, URI and DNS.
func (e *xfccElement) set(key, value string) bool {
	switch {
	case strings.EqualFold(key, "Hash"):
		first := !e.hasHash
		e.hash, e.hasHash = value, true
		return first
	case strings.EqualFold(key, "Cert"):
		first := !e.hasCert
		e.cert, e.hasCert = value, true
		return first
	default:
		return true
	}
}

// cutXFCCValue returns the value at the beginning of text, and the rest with the
// separator. Escapes in a quoted value are left in it: neither a Hash nor a Cert has
// a character that needs one.
func cutXFCCValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, `,;"`)
		switch {
		case end < 0:
			return text, "", nil
		case text[end] == '"':
			return "", "", errXFCCQuotes
		default:
			return text[:end], text[end:], nil
		}
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			rest := text[i+1:]
			if rest != "" && rest[0] != ',' && rest[0] != ';' {
				return "", "", errXFCCQuotes
			}
			return text[1:i], rest, nil
		}
	}
	return "", "", errXFCCQuotes
}

// certificate returns the hash of the certificate that an element describes.
func (e *xfccElement) certificate() (hash certificateHash, err error) {
	if !e.hasHash && !e.hasCert {
		return hash, errXFCCNeither
	}
	if e.hasHash {
		if hash, err = decodeXFCCHash(e.hash); err != nil || !e.hasCert {
			return hash, err
		}
	}
	ofCert, ok := hashXFCCCert(e.cert)
	switch {
	case !ok:
		return certificateHash{}, errXFCCCert
	case e.hasHash && hash != ofCert:
		return certificateHash{}, errXFCCBoth
	default:
		return ofCert, nil
	}
}

func decodeXFCCHash(value string) (hash certificateHash, err error) {
	if len(value) != hex.EncodedLen(len(hash)) {
		return hash, errXFCCHash
	}
	if _, err := hex.Decode(hash[:], []byte(value)); err != nil {
		return certificateHash{}, errXFCCHash
	}
	return hash, nil
}

// hashXFCCCert returns the hash of a certificate as PEM (RFC 7468 §5) in
// URL-encoding. pem.Decode would skip text before the first block, and blocks that
// are malformed.
func hashXFCCCert(value string) (certificateHash, bool) {
	text, err := url.PathUnescape(value)
	if err != nil {
		return certificateHash{}, false
	}
	body, hasStart := strings.CutPrefix(text, "-----BEGIN CERTIFICATE-----")
	body, hasEnd := strings.CutSuffix(strings.TrimRight(body, "\r\n"), "-----END CERTIFICATE-----")
	if !hasStart || !hasEnd {
		return certificateHash{}, false
	}
	return hashBase64(base64.StdEncoding, body)
}
