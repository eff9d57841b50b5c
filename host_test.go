package drawbridge_test

import (
	"crypto/tls"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge"
	"github.com/drawbridge-rpc/drawbridge/challenge"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// hostVectors is described in package internal/resource, which they also test.
const hostVectors = "internal/resource/testdata/hosts.json"

type hostVector struct {
	Name      string        `json:"name"`
	Resources [][]string    `json:"resources"`
	Field     string        `json:"field"`
	Proxies   []string      `json:"proxies"`
	Path      string        `json:"path"`
	Requests  []hostRequest `json:"requests"`
}

type hostRequest struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Host      string   `json:"host"`
	TLS       bool     `json:"tls"`
	Remote    string   `json:"remote"`
	Forwarded []string `json:"forwarded"`
	XHost     []string `json:"xhost"`
	XProto    []string `json:"xproto"`
	Want      string   `json:"want"`
}

func (r *hostRequest) sent(path string) sent {
	s := sent{
		Procedure: guarded, Path: path, Host: r.Host, RemoteAddr: r.Remote,
		Forwarded: r.Forwarded, ForwardedHost: r.XHost, ForwardedProto: r.XProto,
	}
	if r.TLS {
		s.TLS = new(tls.ConnectionState)
	}
	return s
}

// TestHost: challenge and metadata document follow the host that the client
// dialed, together (SEED-5, SEED-6).
func TestHost(t *testing.T) {
	t.Parallel()
	for _, v := range vectors.Read[hostVector](t, hostVectors) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			a := newAuthorizer(t, func(cfg *drawbridge.Config) {
				cfg.Resources, cfg.ForwardedField = nil, v.Field
				for _, urls := range v.Resources {
					cfg.Resources = append(cfg.Resources, resource(urls[0], urls[1:]...))
				}
				for _, proxy := range v.Proxies {
					cfg.TrustedProxies = append(cfg.TrustedProxies, netip.MustParsePrefix(proxy))
				}
			})
			for _, r := range v.Requests {
				t.Run(r.ID+" "+r.Name, func(t *testing.T) {
					t.Parallel()
					wantBase(t, a, r.sent(v.Path), r.Want, v.Path)
				})
			}
		})
	}
}

func wantBase(t *testing.T, a *drawbridge.Authorizer, s sent, want, path string) {
	t.Helper()
	wantURL := want + wellKnown + path
	if got := metadataURL(t.Context(), a, s); got != wantURL {
		t.Errorf("MetadataURL: got %s, want %s", got, wantURL)
	}
	_, err := authorize(t.Context(), a, s)
	if got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge.ResourceMetadataURL; got != wantURL {
		t.Errorf("challenge: got %s, want %s", got, wantURL)
	}
	s.Path = wellKnown + path
	if document, ok := a.Metadata(t.Context(), s.Request()); !ok || document.Resource != want+path {
		t.Errorf("metadata document: got %q, want %q", document.Resource, want+path)
	}
	u, err := url.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	if origin := u.Scheme + "://" + strings.TrimSuffix(u.Host, ":443"); !a.Adapter().OwnsOrigin(origin) {
		t.Errorf("OwnsOrigin(%q): got false", origin)
	}
}

// TestRemoteAddr: a peer that the adapter knows counts before that of the
// transport.
func TestRemoteAddr(t *testing.T) {
	t.Parallel()
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(base, alias)}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct{ name, transport, adapter, want string }{
		{"SEED-5 the transport knows a proxy", "10.0.0.1:1", "", alias},
		{"SEED-5 the adapter knows a proxy", "", "10.0.0.1:1", alias},
		{"SEED-6 the adapter knows another peer", "10.0.0.1:1", "192.0.2.1:1", base},
		{"SEED-6 no peer", "", "", base},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := sent{Procedure: guarded, Host: "api.example.com", ForwardedHost: []string{"alias.example.com"}, RemoteAddr: tt.transport}.Request()
			req.RemoteAddr = tt.adapter
			if got, want := a.Adapter().MetadataURL(t.Context(), &req), tt.want+wellKnown; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// TestForwardedNeverChoosesResource: the host that a proxy names opens no resource
// that the Host of the request does not (R8707-2).
func TestForwardedNeverChoosesResource(t *testing.T) {
	t.Parallel()
	const public, admin = "https://public.example.com", "https://admin.example.com"
	verifier := people()
	verifier.tokens["t-admin"].Audience = []string{admin}
	verifier.tokens["t-writer"].Audience = []string{public}
	a := newAuthorizer(t, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(public, "https://www.example.com"), resource(public + "/deep"), resource(admin)}
		cfg.Verifier = verifier
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, tt := range []struct {
		name             string
		host, path       string
		forwarded, xhost []string
		raw              string
		want             challenge.Reason
		echoed           string // the metadata URL of the challenge
	}{
		{"R8707-2 without a proxy", "admin.example.com", "/", nil, nil, "t-admin", letIn, admin + wellKnown},
		{"R8707-2 X-Forwarded-Host opens no other resource", "admin.example.com", "/", nil, []string{"public.example.com"}, "t-writer", challenge.ReasonInvalidToken, admin + wellKnown},
		{"R8707-2 X-Forwarded-Host closes none", "admin.example.com", "/", nil, []string{"public.example.com"}, "t-admin", letIn, admin + wellKnown},
		{"R8707-2 Forwarded opens no other resource", "public.example.com", "/", []string{"host=admin.example.com;proto=https"}, nil, "t-admin", challenge.ReasonInvalidToken, public + wellKnown},
		{"R8707-2 nor a longer path", "admin.example.com", "/deep/x", nil, []string{"public.example.com"}, "t-admin", letIn, admin + wellKnown},
		{"SEED-5 X-Forwarded-Host chooses among the names of one resource", "public.example.com", "/", nil, []string{"www.example.com"}, "t-writer", letIn, "https://www.example.com" + wellKnown},
		{"SEED-6 a client's Forwarded does not", "public.example.com", "/", []string{"host=www.example.com"}, nil, "t-writer", letIn, public + wellKnown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sent{
				Procedure: guarded, Path: tt.path, Host: tt.host, RemoteAddr: "10.0.0.1:1",
				Forwarded: tt.forwarded, ForwardedHost: tt.xhost, Authorization: bearer(tt.raw),
			}
			_, err := authorize(t.Context(), a, s)
			wantOutcome(t, err, tt.want)
			if got := metadataURL(t.Context(), a, s); got != tt.echoed {
				t.Errorf("SEED-5: got %s, want %s", got, tt.echoed)
			}
		})
	}
}

// FuzzHost: whatever a request says of its host, the challenge names one of the
// configured base URLs, in a header that can be sent (SEED-6, R6750-3.c).
func FuzzHost(f *testing.F) {
	bases := []string{base, alias + ":8443", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"}
	a := newAuthorizer(f, func(cfg *drawbridge.Config) {
		cfg.Resources = []drawbridge.Resource{resource(base+"/mcp", bases[1], bases[2])}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, v := range vectors.Read[hostVector](f, hostVectors) {
		for _, r := range v.Requests {
			f.Add(strings.Join(r.Forwarded, "\n"), strings.Join(r.XHost, "\n"), strings.Join(r.XProto, "\n"), r.Host, r.Remote, r.TLS)
		}
	}
	f.Fuzz(func(t *testing.T, forwarded, xhost, xproto, host, remote string, encrypted bool) {
		r := hostRequest{
			Host: host, Remote: remote, TLS: encrypted,
			Forwarded: lines(forwarded), XHost: lines(xhost), XProto: lines(xproto),
		}
		_, err := authorize(t.Context(), a, r.sent(""))
		got := denialOf(t, err, challenge.ReasonNoCredentials).Challenge
		found, ok := strings.CutSuffix(got.ResourceMetadataURL, wellKnown+"/mcp")
		if !ok || !slices.Contains(bases, found) {
			t.Errorf("SEED-6: %+v: challenge for %q", r, got.ResourceMetadataURL)
		}
		wantSendable(t, got.Header())
	})
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
