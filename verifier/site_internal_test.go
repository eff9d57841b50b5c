package verifier

import (
	"net/url"
	"testing"
)

// TestSite: what the metadata names is reached inside where it is the issuer's own, and
// nothing is fetched that is less protected than the issuer.
func TestSite(t *testing.T) {
	const public = "https://login.example.com/realms/acme"
	for _, row := range []struct {
		internal, address, want string
		protects                bool
	}{
		{"", public + "/certs", public + "/certs", true},
		{"", "https://cdn.example.com/certs", "https://cdn.example.com/certs", true},
		{"", "http://login.example.com/certs", "http://login.example.com/certs", false},
		{"", "http://127.0.0.1/certs", "http://127.0.0.1/certs", false},
		{"https://kc.internal:8443/auth/realms/acme/", public + "/certs", "https://kc.internal:8443/auth/realms/acme/certs", true},
		{"https://kc.internal", "https://login.example.com/other", "https://kc.internal/other", true},
		{"https://kc.internal", "https://login.example.com/realms/acmex", "https://kc.internal/realms/acmex", true},
		{"https://kc.internal", "https://cdn.example.com/certs", "https://cdn.example.com/certs", true},
		{"https://kc.internal", "http://kc.internal/certs", "http://kc.internal/certs", false},
		{"http://kc.internal:8080/a", public + "/certs", "http://kc.internal:8080/a/certs", true},
		{"http://kc.internal:8080", "http://kc.internal:8081/certs", "http://kc.internal:8081/certs", false},
		{"http://kc.internal:8080", "http://evil.example/certs", "http://evil.example/certs", false},
		{"http://kc.internal:8080", "http://127.0.0.1/certs", "http://127.0.0.1/certs", false},
		{"http://kc.internal:8080", "ftp://kc.internal:8080/certs", "ftp://kc.internal:8080/certs", false},
	} {
		s := newSite(public, row.internal, nil)
		u, err := url.Parse(row.address)
		if err != nil {
			t.Fatal(err)
		}
		reached := s.reach(u)
		if reached.String() != row.want || s.protects(reached) != row.protects {
			t.Errorf("%s for %s: got %s, protected %t", row.address, row.internal, reached, s.protects(reached))
		}
	}
	if s := newSite("http://127.0.0.1:1", "", nil); !s.protects(&url.URL{Scheme: "http", Host: "localhost:2"}) {
		t.Error("loopback for an issuer on loopback")
	}
}
