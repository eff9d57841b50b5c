package proof_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// A certificateVector is an entry of testdata/certificate_clientcert.json and
// testdata/certificate_xfcc.json: what a proxy sends, with templates. The token is
// bound to the certificate that OpenSSL made.
type certificateVector struct {
	Name     string   `json:"name"`
	Source   string   `json:"source"`
	Values   []string `json:"values"`
	Appended bool     `json:"appended"` // DangerouslyAcceptAppended
	Reason   string   `json:"reason"`   // "" if it is accepted
}

// certificateVectors returns the vectors of a file with their templates filled in.
func certificateVectors(tb testing.TB, path string) []certificateVector {
	tb.Helper()
	all := vectors.Read[certificateVector](tb, path)
	fill := certificateTemplates(tb)
	for _, v := range all {
		for i := range v.Values {
			v.Values[i] = fill.Replace(v.Values[i])
			if strings.Contains(v.Values[i], "$") {
				tb.Fatalf("%s: no such template: %.100s", v.Name, v.Values[i])
			}
		}
	}
	return all
}

func hexOf(der []byte) string {
	hash := sha256.Sum256(der)
	return hex.EncodeToString(hash[:])
}

func certificateTemplates(tb testing.TB) *strings.Replacer {
	tb.Helper()
	made := opensslCertificates(tb)[0]
	der, err := base64.StdEncoding.DecodeString(made.DER)
	if err != nil || !strings.HasSuffix(made.DER, "Q==") {
		tb.Fatalf("%v, or %s needs no padding", err, made.DER)
	}
	base := base64.StdEncoding.EncodeToString
	otherPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	cert := url.PathEscape(made.PEM)
	encoded := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	return strings.NewReplacer(
		"$hash", made.Hash, "$HASH", strings.ToUpper(made.Hash), "$otherhash", hexOf(other),
		"$thumbprint", made.Thumbprint, "$subject", made.Subject,
		"$der", made.DER, "$otherder", base(other), "$unpadded", strings.TrimRight(made.DER, "="),
		"$pad", strings.Replace(made.DER, "Q==", "R==", 1), "$truncated", base(der[:len(der)-1]), "$extended", base(append(der, 0)),
		"$broken", made.DER[:64]+"\n"+made.DER[64:], "$urlder", base64.URLEncoding.EncodeToString(der),
		"$longest", strings.Repeat("A", 32<<10-2), "$mebibyte", strings.Repeat("A", 1<<20),
		"$cert", encoded(made.PEM), "${cert}", encoded(made.PEM), "$sparecert", strings.ReplaceAll(cert, "%2B", "+"),
		"$othercert", encoded(otherPEM), "$keycert", encoded(keyPEM), "$pluscert", url.QueryEscape(made.PEM),
		"$crlfcert", encoded(strings.ReplaceAll(made.PEM, "\n", "\r\n")), "$shortcert", encoded(strings.TrimSpace(made.PEM)),
		"$chain", strings.Repeat("A", 32<<10-len(`Hash=;Chain=""`)-64), "${chain}", strings.Repeat("A", 32<<10-len(`Hash=;Chain=""`)-64),
		"$elements", strings.TrimSuffix(strings.Repeat(`X="";y=,`, 4000), ","),
	)
}

// TestCertificateFields sends what proxies send, and what they should not.
func TestCertificateFields(t *testing.T) {
	t.Parallel()
	made := opensslCertificates(t)[0]
	for field, path := range map[string]string{clientCert: "testdata/certificate_clientcert.json", xfcc: "testdata/certificate_xfcc.json"} {
		for _, v := range certificateVectors(t, path) {
			t.Run(field+" "+v.Name, func(t *testing.T) {
				t.Parallel()
				config := behind(field)
				config.ClientCertificateProxies[0].DangerouslyAcceptAppended = v.Appended
				c := newCertificateBinding(t, config)
				// The proxy authenticates with the right certificate, which is no use.
				der, _ := base64.StdEncoding.DecodeString(made.DER)
				req := certificateRequest(proxyPeer, http.Header{field: v.Values}, stateOf(der))
				err := c.CheckBinding(t.Context(), boundTo(made.Thumbprint), req)
				wantCertificate(t, err, v.Reason, append(slices.Clip(v.Values), made.Thumbprint)...)
			})
		}
	}
}
