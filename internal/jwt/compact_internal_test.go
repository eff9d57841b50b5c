package jwt

import (
	"strings"
	"testing"
)

// TestParseCompact proves that the shape of a token is checked before anything
// in it is decoded.
func TestParseCompact(t *testing.T) {
	for raw, want := range map[string]string{
		"AAAA.BBBB.CCCC": "",
		"AA.AAE.AAAA":    "",
		"":               "not three segments",
		"AAAA":           "not three segments",
		"AAAA.BBBB":      "not three segments",
		"AAAA.BBBB.CC.D": "not three segments",
		"....":           "not three segments",
		"..":             "is empty",
		".BBBB.CCCC":     "is empty",
		"AAAA..CCCC":     "is empty",
		"AAAA.BBBB.":     "is empty",
		"A.BBBB.CCCC":    "not canonical",
		"AAAAA.BBBB.CCC": "not canonical",
		"AAAA.BB.CCCC":   "not canonical",
		"AAAA.BBB.CCCC":  "not canonical",
		"AAAA.BBBB.CC\n": "not canonical",
		"AAAA.B\rBB.CCC": "not canonical",
		"AAAA.BBBB.CC==": "",
	} {
		_, err := ParseCompact(raw)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", raw, err, want)
		}
	}
	// Every last letter, compared with the strict decoder.
	for letter := range strings.SplitSeq("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "") {
		for _, segment := range []string{"A" + letter, "AA" + letter, "AAA" + letter, "AAAA" + letter} {
			_, err := Encoding.DecodeString(segment)
			if got := isCanonical(segment); got != (err == nil) {
				t.Errorf("%q: got %v, the decoder %v", segment, got, err)
			}
		}
	}
	var buffer [4]byte
	for _, segment := range []string{"CC==", "A+AA", "A A", "AB", "AAC", "AAAA.", "ü"} {
		if data, err := DecodeSegment(buffer[:], segment); err == nil || data != nil {
			t.Errorf("%q: got %q and %v", segment, data, err)
		}
	}
	for _, segment := range []string{"", "AA", "eyJ9", "eyJ9eyJ9", strings.Repeat("eyJ9", 1000)} {
		data, err := DecodeSegment(buffer[:], segment)
		if err != nil || Encoding.EncodeToString(data) != segment {
			t.Errorf("%q: got %q and %v", segment, data, err)
		}
	}
}
