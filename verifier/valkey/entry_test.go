package valkey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/verifier"

	"github.com/drawbridge-rpc/drawbridge/verifier/valkey"
)

// entryOf returns an entry with fields, and others.
func entryOf(fields []string, others ...string) map[string]string {
	entry := make(map[string]string)
	for pair := range slices.Chunk(append(others, fields...), 2) {
		entry[pair[0]] = pair[1]
	}
	return entry
}

// TestEntry: what is encoded is decoded again, and what was written by something else is
// an error.
func TestEntry(t *testing.T) {
	t.Parallel()
	for _, want := range []verifier.Cutoff{
		{Issuer: "i", Subject: "u", Until: time.Unix(1, 2)},
		{Issuer: "i", SessionID: "s", Until: time.Unix(1, 2)},
		{Issuer: "i", Subject: "u", SessionID: "s", Until: time.Unix(1, 2)},
		{Issuer: "i", ClientID: "c", Until: time.Unix(1, 2)},
	} {
		fields, err := valkey.EncodeEntry(&want, time.Minute+1)
		if err != nil {
			t.Fatal(err)
		}
		if got, lifetime, err := valkey.DecodeEntry(entryOf(fields, "later", "version")); err != nil || got != want || lifetime != time.Minute+time.Second {
			t.Errorf("got %+v, %v, %v", got, lifetime, err)
		}
	}
	for _, unusable := range []string{"", "-1", "0", "1.5", "x", "31622401", "9223372036854775807", "9223372036854775808"} {
		if got, lifetime, err := valkey.DecodeEntry(map[string]string{"issuer": "i", "subject": "s", "until": "1", "lifetime": unusable}); err != nil || got.Subject != "s" || lifetime != 0 {
			t.Errorf("lifetime %q: got %+v, %v, %v", unusable, got, lifetime, err)
		}
	}
	for name, entry := range map[string]map[string]string{
		"nothing":    {},
		"no until":   {"issuer": "i", "subject": "s"},
		"bad until":  {"issuer": "i", "subject": "s", "until": "1.5"},
		"huge until": {"issuer": "i", "subject": "s", "until": "9223372036854775808"},
		"no issuer":  {"subject": "s", "until": "1"},
		"nobody":     {"issuer": "i", "until": "1"},
		"two":        {"issuer": "i", "subject": "s", "client": "c", "until": "1"},
		"two others": {"issuer": "i", "session": "s", "client": "c", "until": "1"},
		"three":      {"issuer": "i", "subject": "s", "session": "s", "client": "c", "until": "1"},
	} {
		if c, _, err := valkey.DecodeEntry(entry); err == nil {
			t.Errorf("%s: got %+v", name, c)
		}
	}
	for text, ok := range map[string]bool{"1-2": true, "18446744073709551615-0": true, "": false, "1": false, "-": false, "1-2-3": false, "18446744073709551616-0": false} {
		if got, err := valkey.ParseStreamID(text); (err == nil) != ok || ok && got != text {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add("https://login.example.com", "ada", "", "", "1700000000000000000", "86400")
	f.Add("i", "", "s", "", "-1", "31622400")
	f.Add("i", "u", "s", "", "1", "")
	f.Add("i", "", "", "c", "1e9", "1e9")
	f.Fuzz(func(t *testing.T, issuer, subject, session, client, until, lifetime string) {
		c, held, err := valkey.DecodeEntry(map[string]string{"issuer": issuer, "subject": subject, "session": session, "client": client, "until": until, "lifetime": lifetime})
		if err != nil {
			return
		}
		fields, err := valkey.EncodeEntry(&c, held)
		if err != nil {
			t.Fatalf("%+v is decoded, and not encoded: %v", c, err)
		}
		if again, heldAgain, err := valkey.DecodeEntry(entryOf(fields)); err != nil || again != c || heldAgain != held {
			t.Errorf("%+v for %v became %+v for %v, %v", c, held, again, heldAgain, err)
		}
	})
}

func FuzzParseStreamID(f *testing.F) {
	f.Add("1526919030474-55")
	f.Add("0-0")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := valkey.ParseStreamID(text)
		if err != nil {
			return
		}
		if again, err := valkey.ParseStreamID(id); err != nil || again != id {
			t.Errorf("%q became %q, then %q", text, id, again)
		}
	})
}
