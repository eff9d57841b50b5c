package policyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// fromJSON returns a text as YAML, if it is JSON. That is YAML, but for two escapes that
// encoders write and the parser does not know: that of a slash, and a pair of those of
// surrogates. Lines stay the same.
func fromJSON(text []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || !bytes.ContainsRune(text, '\\') || !json.Valid(text) {
		return text
	}
	converted := make([]byte, 0, len(text))
	for len(text) > 0 {
		before, escape, found := bytes.Cut(text, []byte(`\`))
		converted = append(converted, before...)
		if !found {
			break
		}
		if text = escape[1:]; escape[0] == '/' {
			converted = append(converted, '/')
			continue
		}
		if pair, ok := surrogates(escape); ok {
			converted = fmt.Appendf(converted, `\U%08x`, pair)
			text = escape[len(`ud83d\ude00`):]
			continue
		}
		converted = append(converted, '\\', escape[0])
	}
	return converted
}

// surrogates returns the character that a pair of escapes stands for, of which the first
// has lost its backslash.
func surrogates(escape []byte) (r rune, ok bool) {
	const size = len(`ud83d\ude00`)
	if len(escape) < size || escape[0] != 'u' || escape[5] != '\\' || escape[6] != 'u' {
		return 0, false
	}
	high, highErr := strconv.ParseUint(string(escape[1:5]), 16, 16)
	low, lowErr := strconv.ParseUint(string(escape[7:size]), 16, 16)
	r = utf16.DecodeRune(rune(high), rune(low))
	return r, highErr == nil && lowErr == nil && r != '\ufffd'
}
