package authzen

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"unicode/utf8"
)

// appendText appends a JSON string. It refuses a text that is not UTF-8, because encoding/json
// would replace each bad byte by the same character, and two texts would become one.
func appendText(b []byte, text string) ([]byte, error) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendOddText(b, text)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"'), nil
}

func appendOddText(b []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return b, errNotUTF8
	}
	return appendAny(b, text)
}

// appendIDText appends a JSON string that is not empty.
func appendIDText(b []byte, text string) ([]byte, error) {
	if text == "" {
		return b, errEmpty
	}
	return appendText(b, text)
}

// appendAny appends a value with encoding/json.
func appendAny(b []byte, v any) ([]byte, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return b, errNotJSON // The error may hold the value.
	}
	return append(b, encoded...), nil
}

// appendFloat appends a number, or, as ProtoJSON does, the name of what is none.
func appendFloat(b []byte, f float64, isSingle bool) ([]byte, error) {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...), nil
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...), nil
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...), nil
	case isSingle:
		return appendAny(b, float32(f))
	default:
		return appendAny(b, f)
	}
}

func appendBytes(b, data []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, '"')
}
