package proof

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
	"net/url"
	"strings"
	"testing"
)

// TestCheckFit: each algorithm fits one kind of key, and RSA keys have a usual size
// (R9449-4.3).
func TestCheckFit(t *testing.T) {
	t.Parallel()
	modulus := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	exponent := func(e int) *rsa.PublicKey { return &rsa.PublicKey{N: modulus(2048).N, E: e} }
	for _, row := range []struct {
		name  string
		key   any
		fits  string // all algorithms that it fits
		other string // the reason against the others
	}{
		{"P-256", &ecdsa.PublicKey{Curve: elliptic.P256()}, "ES256", "not a key for the alg"},
		{"P-384", &ecdsa.PublicKey{Curve: elliptic.P384()}, "ES384", "not a key for the alg"},
		{"P-521", &ecdsa.PublicKey{Curve: elliptic.P521()}, "ES512", "not a key for the alg"},
		{"P-224", &ecdsa.PublicKey{Curve: elliptic.P224()}, "", "not a key for the alg"},
		{"Ed25519", make(ed25519.PublicKey, 32), "EdDSA", "not a key for the alg"},
		{"symmetric", []byte("secret"), "", "not a key for the alg"},
		{"RSA of 2,048 bits", modulus(2048), "RS256 RS384 RS512 PS256 PS384 PS512", "not a key for the alg"},
		{"RSA of 4,096 bits", modulus(4096), "RS256 RS384 RS512 PS256 PS384 PS512", "not a key for the alg"},
		{"RSA of 2,047 bits", modulus(2047), "", "2047 bits"},
		{"RSA of 4,097 bits", modulus(4097), "", "4097 bits"},
		{"RSA with e = 3", exponent(3), "RS256 RS384 RS512 PS256 PS384 PS512", "not a key for the alg"},
		{"RSA with e = 1", exponent(1), "", "exponent"},
		{"RSA with an even e", exponent(65536), "", "exponent"},
		{"RSA with e of 32 bits", exponent(1<<32 - 1), "", "exponent"},
	} {
		for _, algorithm := range proofAlgorithms {
			err := checkFit(algorithm, row.key)
			fits := strings.Contains(row.fits, algorithm)
			if fits != (err == nil) || !fits && !strings.Contains(err.Error(), row.other) {
				t.Errorf("R9449-4.3 %s with %s: got %v", row.name, algorithm, err)
			}
		}
	}
}

// TestNormalizeURL has the examples of RFC 3986 §6.2 (R9449-4.3).
func TestNormalizeURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://example.com": "http://example.com/", "http://example.com/": "http://example.com/", "http://example.com:/": "http://example.com/", "http://example.com:80/": "http://example.com/",
		"HTTP://www.EXAMPLE.com/":      "http://www.example.com/",
		"https://h/a/./b/../c":         "https://h/a/c",
		"https://h/mid/content=5/../6": "https://h/mid/6",
		"https://h/a/b/..":             "https://h/a/",
		"https://h/a/b/.":              "https://h/a/b/",
		"https://h/..":                 "https://h/",
		"https://h/../..//x/":          "https://h//x/",
		"https://h/a//../b":            "https://h/a/b",
		"https://h/...":                "https://h/...",
		"https://h/%7e%7E/%41%2d":      "https://h/~~/A-",
		"https://h/%2f%2F%25":          "https://h/%2F%2F%25",
		"https://h/a%5c..%5Cb\\..\\c":  "https://h/a%5C..%5Cb%5C..%5Cc",
		"https://h/a[]|^{}<>\"`":       "https://h/a%5B%5D%7C%5E%7B%7D%3C%3E%22%60",
		"https://h/;a=b,c:@!$&'()*+":   "https://h/;a=b,c:@!$&'()*+",
		"https://h?/../":               "https://h/",
		"https://h#?":                  "https://h/",
		"https://h:444/?x":             "https://h:444/",
		"https://[2001:DB8::0:1]:443/": "https://[2001:db8::1]/",
		"https://127.0.0.1/":           "https://127.0.0.1/",
		"":                             "",
		"https":                        "",
		"https:/h/":                    "",
		"https://":                     "",
		"https:///a":                   "",
		"https://:443/":                "",
		"https://h::/":                 "",
		"https://h:65536/":             "",
		"https://u@h/":                 "",
		"https://u:p@h/":               "",
		"https://h\\x/":                "",
		"https://%68/":                 "",
		"https://h /":                  "",
		"https://h/\x7f":               "",
		"https://h/\x00":               "",
		"https://h/\xff":               "",
		"https://h/%":                  "",
		"https://h/%4":                 "",
		"https://h/%4g":                "",
		"javascript://h/":              "",
		" https://h/":                  "",
		"https://[::1%25eth0]/":        "",
		"https://h/" + "%41":           "https://h/A",
	} {
		if got, ok := normalizeURL(url); got != want || ok != (want != "") {
			t.Errorf("R9449-4.3 %q: got %q, %t, want %q", url, got, ok, want)
		}
	}
}

// FuzzNormalizeURL: what was normalized is a URL in normal form, of the same host
// and the same path.
func FuzzNormalizeURL(f *testing.F) {
	for _, seed := range []string{
		"", "https://h", "HTTPS://H:443/a/../b/%7e%2f?x#y", "http://[::1]:80/./", "https://h/a|b[]\\", "https://u@h/", "https://h:/%", "https://h/..//../%2e%2E/.", "https://xn--bcher-kva.example/;a=b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := normalizeURL(s)
		if !ok {
			if got != "" {
				t.Errorf("%q: got %q", s, got)
			}
			return
		}
		if again, ok := normalizeURL(got); again != got || !ok {
			t.Errorf("%q: %q became %q", s, got, again)
		}
		u, err := url.Parse(got)
		if err != nil || u.String() != got && u.Scheme+"://"+u.Host+u.EscapedPath() != got || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Host == "" {
			t.Errorf("%q: %q is read as %v: %v", s, got, u, err)
		}
		clean, _, _ := strings.Cut(s, "#")
		clean, _, _ = strings.Cut(clean, "?")
		original, err := url.Parse(clean)
		if err != nil {
			return // net/url accepts less: a host of more than ASCII letters, for instance.
		}
		resolved := original.ResolveReference(&url.URL{})
		if !strings.EqualFold(u.Scheme, original.Scheme) || !strings.EqualFold(u.Hostname(), original.Hostname()) && original.Hostname()[0] != '[' && !strings.Contains(original.Hostname(), ":") {
			t.Errorf("%q: %q has another origin", s, got)
		}
		if !strings.Contains(original.Path, "/.") && u.Path != "/"+strings.TrimPrefix(resolved.Path, "/") {
			t.Errorf("%q: %q has the path %q, not %q", s, got, u.Path, resolved.Path)
		}
	})
}
