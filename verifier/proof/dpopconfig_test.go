package proof_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

const secretKey = "a-secret-of-more-than-thirty-two-bytes"

// wantFaults checks the places of the faults in an error, and that none shows a
// secret.
func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for f := range fault.All(err) {
		got = append(got, strings.TrimPrefix(f.Place, "proof: "))
		if f.Reason == "" {
			t.Errorf("%s has no reason", f.Place)
		}
		if strings.Contains(f.Error(), secretKey[:8]) {
			t.Errorf("%s shows a secret: %s", f.Place, f.Error())
		}
	}
	if !slices.Equal(got, want) || (err == nil) != (len(want) == 0) {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}

func TestDPoPConfigFaults(t *testing.T) {
	t.Parallel()
	store := storeFunc(nil)
	keys := [][]byte{[]byte(secretKey)}
	good := proof.Rewrite{PublicURL: "https://api.example.com/shop/", URL: "https://api.example.com/"}
	for _, row := range []struct {
		name   string
		config proof.DPoPConfig
		want   []string // after "DPoPConfig."
	}{
		{"zero", proof.DPoPConfig{}, nil},
		{"everything", proof.DPoPConfig{
			Algorithms: []string{"ES256"}, Lifetime: 10 * time.Minute, Leeway: 5 * time.Minute,
			NonceKeys: keys, NonceLifetime: time.Hour, Store: store, Rewrites: []proof.Rewrite{good},
		}, nil},
		{"least", proof.DPoPConfig{Lifetime: 1, Leeway: 1, NonceKeys: keys, NonceLifetime: 10 * time.Second, DangerouslyAllowReplay: true}, nil},
		{"R9449-4.3 no algorithm", proof.DPoPConfig{Algorithms: []string{}}, []string{"Algorithms"}},
		{"R9449-4.3 none and HS256", proof.DPoPConfig{Algorithms: []string{"ES256", "none", "HS256", ""}}, []string{"Algorithms[1]", "Algorithms[2]", "Algorithms[3]"}},
		{"too long", proof.DPoPConfig{Lifetime: 10*time.Minute + 1, Leeway: 5*time.Minute + 1}, []string{"Lifetime", "Leeway"}},
		{"negative", proof.DPoPConfig{Lifetime: -1, Leeway: -1}, []string{"Lifetime", "Leeway"}},
		{"no nonce key", proof.DPoPConfig{NonceKeys: [][]byte{}}, []string{"NonceKeys"}},
		{"short nonce keys", proof.DPoPConfig{NonceKeys: [][]byte{nil, []byte(secretKey), []byte(secretKey)[:31]}}, []string{"NonceKeys[0]", "NonceKeys[2]"}},
		{"a lifetime without keys", proof.DPoPConfig{NonceLifetime: time.Minute}, []string{"NonceLifetime"}},
		{"a short lifetime of nonces", proof.DPoPConfig{NonceKeys: keys, NonceLifetime: time.Second}, []string{"NonceLifetime"}},
		{"a long lifetime of nonces", proof.DPoPConfig{NonceKeys: keys, NonceLifetime: 2 * time.Hour}, []string{"NonceLifetime"}},
		{"a store without use", proof.DPoPConfig{Store: store, DangerouslyAllowReplay: true}, []string{"DangerouslyAllowReplay"}},
		{"an empty rewrite", proof.DPoPConfig{Rewrites: []proof.Rewrite{good, {}}}, []string{"Rewrites[1].PublicURL", "Rewrites[1].URL"}},
		{"R9449-4.3 a rewrite of the path alone", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "/shop/", URL: "/"}}}, []string{"Rewrites[0].PublicURL", "Rewrites[0].URL"}},
		{"a rewrite with a query", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "https://a.example/b?c", URL: "https://a.example/b"}}}, []string{"Rewrites[0].PublicURL"}},
		{"a rewrite to http", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "http://a.example/b", URL: "http://localhost/b"}}}, []string{"Rewrites[0].PublicURL"}},
		{"a rewrite of one to many", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "https://a.example/b/", URL: "https://a.example/b"}}}, []string{"Rewrites[0].URL"}},
		{"a rewrite of a method", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "https://a.example/b", URL: "https://a.example/c", Method: "post"}}}, []string{"Rewrites[0].Method", "Rewrites[0].Method"}},
		{"a rewrite to a method", proof.DPoPConfig{Rewrites: []proof.Rewrite{{PublicURL: "https://a.example/b", URL: "https://a.example/c", PublicMethod: "G T", Method: "POST"}}}, []string{"Rewrites[0].PublicMethod"}},
		{"several", proof.DPoPConfig{Lifetime: -1, Algorithms: []string{"none"}, NonceKeys: [][]byte{{}}, Rewrites: []proof.Rewrite{{}}}, []string{"Algorithms[0]", "Lifetime", "NonceKeys[0]", "Rewrites[0].PublicURL", "Rewrites[0].URL"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d, err := proof.NewDPoP(row.config)
			if (d == nil) != (err != nil) {
				t.Errorf("got %v and %v", d, err)
			}
			var want []string
			for _, place := range row.want {
				want = append(want, "DPoPConfig."+place)
			}
			wantFaults(t, err, want...)
		})
	}
}

func TestMemoryStoreConfigFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		config proof.MemoryStoreConfig
		want   []string
	}{
		{"zero", proof.MemoryStoreConfig{}, nil},
		{"least", proof.MemoryStoreConfig{Capacity: 2}, nil},
		{"small", proof.MemoryStoreConfig{Capacity: 5, KeyCapacity: 4}, nil},
		{"one", proof.MemoryStoreConfig{Capacity: 1}, []string{"MemoryStoreConfig.Capacity"}},
		{"negative", proof.MemoryStoreConfig{Capacity: -1, KeyCapacity: -1}, []string{"MemoryStoreConfig.Capacity", "MemoryStoreConfig.KeyCapacity"}},
		{"one client could use all of it", proof.MemoryStoreConfig{Capacity: 5, KeyCapacity: 5}, []string{"MemoryStoreConfig.KeyCapacity"}},
		{"more than the default", proof.MemoryStoreConfig{KeyCapacity: 500_000}, []string{"MemoryStoreConfig.KeyCapacity"}},
	} {
		store, err := proof.NewMemoryStore(row.config)
		if (store == nil) != (err != nil) {
			t.Errorf("%s: got %v and %v", row.name, store, err)
		}
		wantFaults(t, err, row.want...)
	}
}

// TestConfigIsCopied: later changes to a configuration have no effect.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	config := proof.DPoPConfig{
		Algorithms: []string{"ES256"}, NonceKeys: [][]byte{[]byte(secretKey)},
		Rewrites: []proof.Rewrite{{PublicURL: listItems, URL: "https://inside.example/a"}},
	}
	f := newDPoPFixture(t, config)
	before := refusalOf(t, f.check(t, f.prove())).Nonce
	config.Algorithms[0], config.NonceKeys[0][0], config.Rewrites[0].PublicURL = "none", 'x', "https://other.example"
	config.NonceKeys[0] = make([]byte, 32)
	raw := f.prove(withNonce(before))
	req := request(raw)
	req.URL = "https://inside.example/a"
	if err := checkBinding(t, f.dpop, f.info, req); err != nil {
		t.Error(err)
	}
	if err := f.dpop.CheckBinding(t.Context(), f.info, req); !errors.Is(err, proof.ErrUsed) {
		t.Error(err)
	}
}
