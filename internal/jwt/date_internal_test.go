package jwt

import (
	"strings"
	"testing"
)

func TestScanDate(t *testing.T) {
	for written, want := range map[string]int64{
		"0": 0, "1": 1, "1.5": 1, "253402300799": latest, "2.53402300799e11": latest, "1" + strings.Repeat("0", 9) + "." + strings.Repeat("0", maxDate-11): 1e9,
		"-1": -1, "253402300800": -1, "1e400": -1, "nan": -1, "inf": -1, "null": -1, `"1"`: -1, "[1]": -1, "true": -1,
		"1" + strings.Repeat("0", 9) + "." + strings.Repeat("0", maxDate-10): -1,
	} {
		got, err := ScanDate("exp", []byte(written))
		if (err == nil) != (want >= 0) || err == nil && (!got.Present || got.At.Unix() != want) {
			t.Errorf("%s: got %v and %v, want %d", written, got, err, want)
		}
	}
	if got, err := ScanDate("exp", nil); got.Present || err != nil {
		t.Errorf("absent: got %v and %v", got, err)
	}
}

func TestParseObject(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `"x"`, "1", "{", `{"a":1}{}`, `{"a":1,"a":1}`, `{"a":{"b":1,"b":1}}`} {
		if got, err := ParseObject([]byte(text)); err == nil || got != nil {
			t.Errorf("%s: got %v and %v", text, got, err)
		}
	}
}
