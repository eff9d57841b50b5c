package jwt_test

import (
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// A textVector is a text to be read, and the reason why it is refused, or "". In the
// text, $invalid is a byte that is not UTF-8, and $repeat what Repeat makes.
type textVector struct {
	ID       string   `json:"id"`
	Comment  string   `json:"comment"`
	Requires []string `json:"requires"`
	Text     string   `json:"text"`
	Repeat   *repeat  `json:"repeat"`
	Reason   string   `json:"reason"`
	// Late says that the two readers differ: what comes first accepts the text, and the
	// decoder refuses it. Of a date, one of the two refuses it.
	Late bool `json:"late"`
	// At is the date, in seconds since 1970.
	At float64 `json:"at"`
}

// A repeat is a text many times.
type repeat struct {
	Text  string `json:"text"`
	Times int    `json:"times"`
}

func (v textVector) text() string {
	many := ""
	if v.Repeat != nil {
		many = strings.Repeat(v.Repeat.Text, v.Repeat.Times)
	}
	return strings.NewReplacer("$invalid", "\xff", "$repeat", many).Replace(v.Text)
}

// matches reports whether an error has the reason, which is "" for none.
func matches(err error, reason string) bool {
	return (err == nil) == (reason == "") && (err == nil || strings.Contains(err.Error(), reason))
}

// read returns the vectors of a file, of which there must be enough of both kinds.
func read(t *testing.T, name string) []textVector {
	t.Helper()
	all := vectors.Read[textVector](t, "testdata/"+name)
	ids, good := make(map[string]bool), 0
	for _, v := range all {
		if ids[v.ID] || v.Comment == "" || len(v.Requires) == 0 {
			t.Errorf("%s is there twice, or has no comment or requirement", v.ID)
		}
		ids[v.ID] = true
		if v.Reason == "" {
			good++
		}
	}
	if good < 8 || len(all)-good < 15 {
		t.Errorf("%s has %d vectors, of which %d are good", name, len(all), good)
	}
	return all
}

// TestCompactVectors has texts that are a JWS in compact serialization, and others.
func TestCompactVectors(t *testing.T) {
	for _, v := range read(t, "compact.json") {
		t.Run(v.ID, func(t *testing.T) {
			parsed, err := jwt.ParseCompact(v.text())
			segments := []string{parsed.Header, parsed.Payload, parsed.Signature}
			if err == nil && strings.Join(segments, ".") != v.text() {
				t.Errorf("got %q", segments)
			}
			late := err == nil
			for _, segment := range segments {
				data, decodeErr := jwt.DecodeSegment(nil, segment)
				if err == nil {
					err = decodeErr
				}
				if decodeErr == nil && jwt.Encoding.EncodeToString(data) != segment {
					t.Errorf("%q has two spellings", segment)
				}
			}
			if !matches(err, v.Reason) || err != nil && late != v.Late {
				t.Errorf("got %v, want %q", err, v.Reason)
			}
		})
	}
}

// TestObjectVectors has texts that are a JSON object, and others. What the decoder accepts
// the scan accepts too, within its bounds.
func TestObjectVectors(t *testing.T) {
	for _, v := range read(t, "objects.json") {
		t.Run(v.ID, func(t *testing.T) {
			members := []jwt.Member{{Name: "iss"}, {Name: "exp"}}
			err := jwt.ScanObject([]byte(v.text()), members)
			object, parseErr := jwt.ParseObject([]byte(v.text()))
			if v.Late {
				if err != nil {
					t.Errorf("the scan got %v", err)
				}
				err = parseErr
			}
			if !matches(err, v.Reason) || v.Reason == "" && parseErr != nil {
				t.Fatalf("got %v and %v, want %q", err, parseErr, v.Reason)
			}
			if v.Reason != "" {
				return
			}
			for _, m := range members {
				if (m.End > 0) != object.Has(m.Name) {
					t.Errorf("%s: the scan got %v, the decoder %v", m.Name, m.End > 0, object.Has(m.Name))
				}
				if text, ok := object[m.Name].(string); ok && !jwt.IsStringOf(m.In([]byte(v.text())), text) {
					t.Errorf("%s is not %q", m.Name, text)
				}
			}
		})
	}
}

// TestDateVectors has values of exp. The scan and the decoder agree about each, unless one
// of them refuses it earlier.
func TestDateVectors(t *testing.T) {
	for _, v := range read(t, "dates.json") {
		t.Run(v.ID, func(t *testing.T) {
			scanned, scanErr := jwt.ScanDate("exp", []byte(v.text()))
			object, err := jwt.ParseObject([]byte(`{"exp":` + v.text() + `}`))
			isJSON := err == nil
			var decoded jwt.Date
			if isJSON {
				decoded, err = object.Date("exp")
			}
			if v.Late {
				if (scanErr == nil) == (err == nil) {
					t.Errorf("the scan got %v, the decoder %v: want one of them to refuse it", scanErr, err)
				}
				return
			}
			if !matches(scanErr, v.Reason) || isJSON && !matches(err, v.Reason) || !isJSON && v.Reason == "" {
				t.Fatalf("the scan got %v, the decoder %v, want %q", scanErr, err, v.Reason)
			}
			if scanned != decoded || scanned.Present != (v.Reason == "") {
				t.Errorf("the scan got %v, the decoder %v", scanned, decoded)
			}
			if v.Reason == "" && float64(scanned.At.UnixNano())/1e9 != v.At {
				t.Errorf("got %v, want %v", scanned.At, v.At)
			}
		})
	}
}
