package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// scanned returns what ScanObject finds of the members a, b and iss.
func scanned(data string) (found map[string]string, err error) {
	members := []Member{{Name: "a"}, {Name: "b"}, {Name: "iss"}}
	err = ScanObject([]byte(data), members)
	found = make(map[string]string)
	for _, m := range members {
		if m.End > 0 {
			found[m.Name] = string(m.In([]byte(data)))
		}
	}
	return found, err
}

func TestScan(t *testing.T) {
	for _, row := range []struct {
		data string
		want map[string]string
	}{
		{`{}`, nil},
		{" {\t} \n", nil},
		{`{"a":1}`, map[string]string{"a": "1"}},
		{` { "a" : 1 , "b" : "x" } `, map[string]string{"a": "1", "b": `"x"`}},
		{"\r\n{\"a\"\t:\n[ 1 , { \"b\" : 2 } ]\r}", map[string]string{"a": "[ 1 , { \"b\" : 2 } ]"}},
		{`{"a":{"a":1,"b":[]},"b":[[],{}]}`, map[string]string{"a": `{"a":1,"b":[]}`, "b": "[[],{}]"}},
		{`{"a":true,"b":null,"iss":false}`, map[string]string{"a": "true", "b": "null", "iss": "false"}},
		{`{"a":-1.5E+10,"b":0e-1}`, map[string]string{"a": "-1.5E+10", "b": "0e-1"}},
		{`{"a":"}","b":"\"","iss":"\\"}`, map[string]string{"a": `"}"`, "b": `"\""`, "iss": `"\\"`}},
		{`{"A":1,"aa":2,"":3,"is":4,"isss":5}`, nil},
		{`{"\u0061":1,"\u0069\u0073\u0073":2}`, map[string]string{"a": "1", "iss": "2"}},
		{`{"\u0041":1,"\u0161":2,"\"":3,"\n":4}`, nil},
		{"{\"ü\":2}", nil},
		{`{"a":"\ud83d\uDE00","b":"\uD7FF\ue000\\ud83d","iss":"\udab"}`, map[string]string{"a": `"\ud83d\uDE00"`, "b": `"\uD7FF\ue000\\ud83d"`, "iss": `"\udab"`}},
		{`{"\u0069ssississ":1,"is\u0073ississississ":2,"is\u0073":3}`, map[string]string{"iss": "3"}},
	} {
		got, err := scanned(row.data)
		if err != nil || len(got) != len(row.want) {
			t.Errorf("%s: got %q and %v, want %q", row.data, got, err, row.want)
		}
		for name, value := range row.want {
			if got[name] != value {
				t.Errorf("%s: %s is %q, want %q", row.data, name, got[name], value)
			}
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for data, want := range map[string]error{
		"": ErrNotObject, "null": ErrNotObject, "[]": ErrNotObject, `"{}"`: ErrNotObject, "1": ErrNotObject, "\ufeff{}": ErrNotObject, "\x00{}": ErrNotObject,
		"{": ErrNotJSON, `{"`: ErrNotJSON, `{"a`: ErrNotJSON, `{"a\`: ErrNotJSON, `{"a\"`: ErrNotJSON, `{"a"`: ErrNotJSON, `{"a":`: ErrNotJSON, `{"a":1`: ErrNotJSON, `{"a":1,`: ErrNotJSON,
		"{\"a\":\"\xff\"}": ErrNotJSON, "{\"\xff\":1}": ErrNotJSON, "{\"a\":\"\xed\xa0\x80\"}": ErrNotJSON,
		`{"a":"\ud800"}`: ErrNotJSON, `{"a":"\udfff"}`: ErrNotJSON, `{"a":"\uDBFF\u0041"}`: ErrNotJSON, `{"a":"\udc00\ud800"}`: ErrNotJSON, `{"\uD83D":1}`: ErrNotJSON,
		`{"a":"\ud83d\`: ErrNotJSON, `{"a":"\ud83d\n"}`: ErrNotJSON, `{"a":"\ud83d\u"}`: ErrNotJSON, `{"a":"\ud83dude00"}`: ErrNotJSON,
		`{"a":"`: ErrNotJSON, `{"a":"\`: ErrNotJSON, `{"a":[`: ErrNotJSON, `{"a":[1`: ErrNotJSON, `{"a":[1,`: ErrNotJSON, `{"a":{`: ErrNotJSON,
		`{,}`: ErrNotJSON, `{"a"}`: ErrNotJSON, `{"a",1}`: ErrNotJSON, `{"a":1,}`: ErrNotJSON, `{"a":1 "b":2}`: ErrNotJSON, `{"a":1;"b":2}`: ErrNotJSON, `{a:1}`: ErrNotJSON, `{1:1}`: ErrNotJSON, `{'a':1}`: ErrNotJSON, `{a":1}`: ErrNotJSON, `{x"a":1}`: ErrNotJSON, `{"a" 1}`: ErrNotJSON, `{"a""b"}`: ErrNotJSON,
		`{"a":}`: ErrNotJSON, `{"a":,}`: ErrNotJSON, `{"a":[,]}`: ErrNotJSON, `{"a":[1,]}`: ErrNotJSON, `{"a":[1 2]}`: ErrNotJSON, `{"a":[1}`: ErrNotJSON, `{"a":{]}`: ErrNotJSON, `{"a":X}`: ErrNotJSON, "{\"a\":\x001}": ErrNotJSON,
		`{}x`: ErrNotJSON, `{}{}`: ErrNotJSON, `{"a":1}]`: ErrNotJSON, `{}}`: ErrNotJSON, "{}\x00": ErrNotJSON,
	} {
		if _, err := scanned(data); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", data, err, want)
		}
	}
	for _, data := range []string{`{"a":1,"a":1}`, `{"a":1,"b":2,"a":null}`, `{"a":1,"\u0061":1}`, `{"\u0061":1,"a":1}`} {
		if _, err := scanned(data); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("R7519-4 %q: got %v", data, err)
		}
	}
}

// TestScanBounds proves the bounds to the level and the value.
func TestScanBounds(t *testing.T) {
	nested := func(levels int, left, right string) string {
		return `{"a":` + strings.Repeat(left, levels-1) + "1" + strings.Repeat(right, levels-1) + "}"
	}
	for _, row := range []struct {
		name, data string
		want       error
	}{
		{"64 arrays", nested(64, "[", "]"), nil},
		{"65 arrays", nested(65, "[", "]"), ErrTooDeep},
		{"64 objects", nested(64, `{"x":`, "}"), nil},
		{"65 objects", nested(65, `{"x":`, "}"), ErrTooDeep},
		{"12,000 arrays", `{"a":` + strings.Repeat("[", 12000), ErrTooDeep},
		{"65 empty arrays", `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", ErrTooDeep},
		{"many beside each other", `{"a":[` + strings.Repeat("[[]],", 300) + "1]}", nil},
		{"1,024 values", `{"a":[` + strings.Repeat("0,", 1022) + "0]}", nil},
		{"1,025 values", `{"a":[` + strings.Repeat("0,", 1023) + "0]}", ErrTooMany},
		{"1,024 members", "{" + strings.Repeat(`"x":0,`, 1023) + `"x":0}`, nil},
		{"1,025 members", "{" + strings.Repeat(`"x":0,`, 1024) + `"x":0}`, ErrTooMany},
		{"1,025 values in objects", `{"a":[` + strings.Repeat(`{"x":0},`, 511) + `{"x":0},0]}`, ErrTooMany},
	} {
		if err := ScanObject([]byte(row.data), nil); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
}

func TestSpells(t *testing.T) {
	const url = "https://a/b"
	for written, want := range map[string]bool{
		url: true, `https:\/\/a\/b`: true, `\u0068ttps://a/\u0062`: true, `https\u003A\u002f\u002Fa/b`: true,
		"": false, "https://a/": false, "https://a/bc": false, "https://A/b": false, "https://a/b%": false,
		`https:\/\/a\/c`: false, `https:\/\/a\/`: false, `https:\/\/a\/bc`: false, `https:\/\/a\/b\`: false,
		`https://a\u002`: false, `https://a/\u00`: false, `https://a/\u+062`: false, `https://a/\u0_62`: false, `https://a/\u0162`: false, `https://a/\x62`: false, `https://a/\x0062`: false, `https:\/\/a\/\`: false,
		`https://a/b\"`: false, `https://a/\b`: false, `https://a\u002f\n`: false,
	} {
		if got := spells([]byte(written), url); got != want {
			t.Errorf("%q: got %v", written, got)
		}
	}
	if !spells([]byte(`\"\\`), `"\`) || spells([]byte(`\"\\`), `"\\`) || !spells([]byte(`\u005c`), `\`) {
		t.Error("quotes and backslashes")
	}
}

func TestScanTakesNoMemory(t *testing.T) {
	data := []byte(`{"iss":"https:\/\/login.example.com","a":{"b":[1,"x",null]},"\u0062":"ü"}`)
	allocations := testing.AllocsPerRun(100, func() {
		members := [...]Member{{Name: "a"}, {Name: "b"}, {Name: "iss"}}
		if err := ScanObject(data, members[:]); err != nil || !IsStringOf(members[2].In(data), "https://login.example.com") {
			t.Error(err, members)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// FuzzScan compares the scan with a decoder: it accepts every JSON object within
// the bounds, and finds the same values.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "[]", "null", `{"a":1}`, ` { "a" : [ ] , "b" : { } } `, `{"a":"\\","b":"\u0000","iss":"\/"}`, `{"\u0061":1,"b":{"a":2}}`,
		`{"a":[1,[2,[3,{"b":-1.5e+10}]]],"iss":"https://login.example.com"}`, `{"a":1,"a":2}`, `{"a":tru}`, "{\"a\":\"\xff\"}", `{"a":1}x`,
		`{"a":"\ud83d\ude00"}`, `{"a":"\ud83d\\ude00"}`, `{"a":"\udead"}`, `{"\uD83D\u0041":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := scanned(string(data))
		var want map[string]json.RawMessage
		if decodeErr := json.Unmarshal(data, &want); decodeErr != nil || want == nil {
			return // it may accept more, but must not panic
		}
		if errors.Is(err, ErrTooDeep) || errors.Is(err, ErrTooMany) || err != nil && strings.HasSuffix(err.Error(), "twice") {
			return
		}
		if hasReplacements(data) {
			if err == nil {
				t.Fatalf("%q is accepted, with a text that stands for no characters", data)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: got %v", data, err)
		}
		for _, name := range []string{"a", "b", "iss"} {
			if value, ok := want[name]; got[name] != string(bytes.TrimSpace(value)) || ok && value == nil {
				t.Errorf("%q: %s is %q, want %q", data, name, got[name], value)
			}
		}
	})
}

// hasReplacements reports whether encoding/json puts U+FFFD in the place of what is not text.
func hasReplacements(data []byte) bool {
	const replacement = "\ufffd"
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return false
	}
	written := strings.ToLower(string(data))
	decoded, err := json.Marshal(value)
	return !utf8.Valid(data) || err == nil && strings.Contains(string(decoded), replacement) &&
		!strings.Contains(written, replacement) && !strings.Contains(written, `\ufffd`)
}
