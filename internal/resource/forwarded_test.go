package resource_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/resource"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// forwardedVector is an entry of testdata/forwarded.json; Want are pairs of
// host and proto.
type forwardedVector struct {
	ID     string      `json:"id"`
	Name   string      `json:"name"`
	Values []string    `json:"values"`
	Want   [][2]string `json:"want"`
}

func forwardedVectors(tb testing.TB) []forwardedVector {
	tb.Helper()
	return vectors.Read[forwardedVector](tb, "testdata/forwarded.json")
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	for _, v := range forwardedVectors(t) {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			t.Parallel()
			if got := resource.ParseForwarded(v.Values); !slices.Equal(got, v.Want) {
				t.Errorf("%q: got %q, want %q", v.Values, got, v.Want)
			}
		})
	}
}

// TestForwardedIsBounded: forwarded fields of more than 8 KiB, all of them
// together, are ignored, and nothing is allocated for them (SEED-6).
func TestForwardedIsBounded(t *testing.T) {
	const limit = 8 << 10
	configs := []resource.Config{configured(base, alias)}
	x, standard := newProxied(t, configs, "X-Forwarded-Host", "10.0.0.0/8"), newProxied(t, configs, "Forwarded", "10.0.0.0/8")
	// fill returns a field of a length that ends with a value.
	fill := func(length int, value string) []string {
		return []string{strings.Repeat(",", length-len(value)) + value}
	}
	for _, tt := range []struct {
		name      string
		transport transport
		want      string
	}{
		{"SEED-6 Forwarded, the longest", transport{forwarded: fill(limit, "host=alias.example.com")}, alias},
		{"SEED-6 Forwarded, a byte longer", transport{forwarded: fill(limit+1, "host=alias.example.com")}, base},
		{"SEED-6 Forwarded, a mebibyte", transport{forwarded: fill(1<<20, "host=alias.example.com")}, base},
		{"SEED-6 X-Forwarded-Host, the longest", transport{xhost: fill(limit, "alias.example.com")}, alias},
		{"SEED-6 X-Forwarded-Host, a byte longer", transport{xhost: fill(limit+1, "alias.example.com")}, base},
		{"SEED-6 X-Forwarded-Host, a mebibyte", transport{xhost: fill(1<<20, "alias.example.com")}, base},
		{"SEED-6 host and proto, the longest", transport{xhost: fill(limit-10, "alias.example.com"), xproto: []string{"https", "https"}}, alias},
		{"SEED-6 host and proto, a byte longer", transport{xhost: fill(limit-9, "alias.example.com"), xproto: []string{"https", "https"}}, base},
		{"SEED-6 a long field beside one that counts", transport{xhost: []string{"alias.example.com"}, xproto: fill(limit, "https")}, base},
		{"SEED-6 many short fields", transport{xhost: slices.Repeat([]string{"alias.example.com"}, limit)}, base},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			tt.transport.host, tt.transport.remote = "api.example.com", "10.0.0.1:1"
			req := &resource.Request{Path: "/", Transport: &tt.transport}
			d := x
			if tt.transport.forwarded != nil {
				d = standard
			}
			if got := d.Locate(ctx, req); got.Base != tt.want {
				t.Errorf("SEED-6: got %s, want %s", got.Base, tt.want)
			}
			if got := testing.AllocsPerRun(10, func() { d.Locate(ctx, req) }); tt.want == base && got != 0 {
				t.Errorf("SEED-6: %v allocations for what is ignored", got)
			}
		})
	}
}

// TestForwardedIsLinear: a mebibyte of anything is parsed in as many steps. With
// the square of that, the test would not end.
func TestForwardedIsLinear(t *testing.T) {
	t.Parallel()
	for unit, want := range map[string]int{
		",": 0, " ": 0, "\t": 0, ";": 0, "=": 0, `"`: 0, "a": 0, "a,": 0, "a=": 0, "a=b,": 0, "a=b;": 0, ";,": 0, " ,": 0, "host=;": 0, `host="`: 0,
		"host=a,": 1 << 20 / 7, `host="a",`: 1 << 20 / 9, "proto=a;host=b ,": 1 << 20 / 16, "host=a;": 1,
	} {
		if got := len(resource.ParseForwarded([]string{strings.Repeat(unit, 1<<20/len(unit))})); got != want {
			t.Errorf("SEED-6: %d elements in a mebibyte of %q, want %d", got, unit, want)
		}
	}
}

// FuzzForwarded: whatever a request says of its host, the address is one of the
// configured base URLs (SEED-6).
func FuzzForwarded(f *testing.F) {
	bases := []string{base, alias + ":8443", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"}
	configs := []resource.Config{configured(base+"/mcp", bases[1], bases[2])}
	directories := map[bool]*resource.Directory{
		false: newProxied(f, configs, "", "10.0.0.0/8"),
		true:  newProxied(f, configs, "Forwarded", "10.0.0.0/8"),
	}
	for _, v := range forwardedVectors(f) {
		f.Add(strings.Join(v.Values, "\n"), "", "", "", "10.0.0.1:1", false)
	}
	for _, v := range vectors.Read[hostVector](f, "testdata/hosts.json") {
		for _, r := range v.Requests {
			f.Add(strings.Join(r.Forwarded, "\n"), strings.Join(r.XHost, "\n"), strings.Join(r.XProto, "\n"), r.Host, r.Remote, r.TLS)
		}
	}
	f.Fuzz(func(t *testing.T, forwarded, xhost, xproto, host, remote string, encrypted bool) {
		sent := transport{host: host, remote: remote, encrypted: encrypted, forwarded: lines(forwarded), xhost: lines(xhost), xproto: lines(xproto)}
		req := &resource.Request{Path: "/mcp", Transport: &sent}
		d := directories[forwarded != ""]
		if got := d.Locate(t.Context(), req); got == nil || !slices.Contains(bases, got.Base) {
			t.Errorf("SEED-6: %+v: got %+v", sent, got)
		}
		// From a peer that is not trusted, the fields that proxies write change
		// nothing.
		sent.remote = "192.0.2.1:1"
		with := d.Locate(t.Context(), req)
		sent.forwarded, sent.xhost, sent.xproto = nil, nil, nil
		if without := d.Locate(t.Context(), req); with != without {
			t.Errorf("SEED-6: forwarded fields led to %s instead of %s", with.Base, without.Base)
		}
	})
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
