package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/verifier/proof"
)

// addVectors adds the vectors in a file as seeds. Long ones would slow the fuzzer
// down.
func addVectors(f *testing.F, path string) {
	f.Helper()
	for _, v := range certificateVectors(f, path) {
		if seed := strings.Join(v.Values, "\n"); len(seed) < 4<<10 {
			f.Add(seed)
		}
	}
}

// byteSequence is the grammar of RFC 8941 §3.3.5, with the spaces of §4.2.
var byteSequence = regexp.MustCompile(`\A *:([A-Za-z0-9+/]*)(={0,2}): *\z`)

// FuzzClientCert compares the parser with the grammar, and encodes again what it
// accepts.
func FuzzClientCert(f *testing.F) {
	addVectors(f, "testdata/certificate_clientcert.json")
	f.Fuzz(func(t *testing.T, value string) {
		hash, err := proof.ClientCertHash(value)
		match := byteSequence.FindStringSubmatch(value)
		if err != nil {
			if match == nil {
				return
			}
			if der, err := base64.StdEncoding.DecodeString(match[1] + match[2]); err == nil && len(der) > 0 {
				t.Fatalf("%q is refused", value)
			}
			return
		}
		if match == nil {
			t.Fatalf("%q is accepted", value)
		}
		der, err := base64.RawStdEncoding.DecodeString(match[1])
		if err != nil || sha256.Sum256(der) != hash || len(der) == 0 {
			t.Fatalf("%q: got %x, %v", value, hash, err)
		}
		if again, err := proof.ClientCertHash(clientCertOf(der)); err != nil || again != hash {
			t.Fatalf("%q, encoded again: got %x, %v", value, again, err)
		}
	})
}

// The grammar of an XFCC field.
const (
	xfccPairText    = `[A-Za-z0-9]+=(?:"(?:[^"\\]|\\.)*"|[^",;]*)`
	xfccElementText = xfccPairText + `(?:;` + xfccPairText + `)*`
)

var (
	xfccField    = regexp.MustCompile(`(?s)\A[ \t]*` + xfccElementText + `(?:,[ \t]*` + xfccElementText + `)*\z`)
	xfccElements = regexp.MustCompile(`(?s)` + xfccElementText)
	xfccPairs    = regexp.MustCompile(`(?s)([A-Za-z0-9]+)=("(?:[^"\\]|\\.)*"|[^",;]*)`)
)

// An xfccReading is what regular expressions find in a field.
type xfccReading struct {
	elements     int
	repeated     bool
	hashes, cert []string // of the last element
}

// readXFCC reports false for what the grammar does not allow.
func readXFCC(value string) (r xfccReading, ok bool) {
	if !xfccField.MatchString(value) {
		return r, false
	}
	for _, element := range xfccElements.FindAllString(value, -1) {
		r.elements++
		r.hashes, r.cert = nil, nil
		for _, pair := range xfccPairs.FindAllStringSubmatch(element, -1) {
			plain := strings.TrimSuffix(strings.TrimPrefix(pair[2], `"`), `"`)
			switch strings.ToLower(pair[1]) {
			case "hash":
				r.hashes = append(r.hashes, plain)
			case "cert":
				r.cert = append(r.cert, plain)
			}
		}
		r.repeated = r.repeated || len(r.hashes) > 1 || len(r.cert) > 1
	}
	return r, true
}

var sha256InHex = regexp.MustCompile(`\A[0-9A-Fa-f]{64}\z`)

// checkXFCC compares a result of the parser with the grammar.
func checkXFCC(t *testing.T, value string, appended bool) {
	t.Helper()
	hash, err := proof.XFCCHash(value, appended)
	r, ok := readXFCC(value)
	allowed := ok && !r.repeated && (appended || r.elements == 1)
	if err != nil {
		if allowed && len(r.cert) == 0 && len(r.hashes) == 1 && sha256InHex.MatchString(r.hashes[0]) {
			t.Fatalf("%q is refused: %v", value, err)
		}
		return
	}
	if !allowed || len(r.cert)+len(r.hashes) == 0 {
		t.Fatalf("%q is accepted", value)
	}
	if len(r.hashes) == 1 && !strings.EqualFold(r.hashes[0], hex.EncodeToString(hash[:])) {
		t.Fatalf("%q: got %x, not its Hash", value, hash)
	}
	if len(r.cert) == 0 {
		return
	}
	text, err := url.PathUnescape(r.cert[0])
	if err != nil {
		t.Fatalf("%q is accepted: %v", value, err)
	}
	// pem.Decode wants line breaks round the base64.
	text = strings.NewReplacer("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n", "-----END", "\n-----END").Replace(text)
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 || sha256.Sum256(block.Bytes) != hash {
		t.Fatalf("%q: got %x, not that of its Cert", value, hash)
	}
	again := url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})))
	if got, err := proof.XFCCHash(`Cert="`+strings.ReplaceAll(again, "+", "%20")+`"`, false); err != nil || got != hash {
		t.Fatalf("%q, encoded again: got %x, %v", value, got, err)
	}
}

// FuzzXFCC compares the parser with the grammar, and encodes again what it accepts.
func FuzzXFCC(f *testing.F) {
	addVectors(f, "testdata/certificate_xfcc.json")
	f.Fuzz(func(t *testing.T, value string) {
		checkXFCC(t, value, false)
		checkXFCC(t, value, true)
	})
}

// envoyElement is an element as Envoy writes it (mutateXfccRequestHeader): it quotes
// the subject, which escapes quotes itself (RFC 2253 §2.4), and no other name.
func envoyElement(hash, commonName, uri, dns string) string {
	subject := "CN=" + regexp.MustCompile(`[,+"\\<>;]`).ReplaceAllString(commonName, `\$0`)
	element := "By=spiffe://example.com/proxy;Hash=" + hash + `;Subject="` + subject + `"`
	if uri != "" {
		element += ";URI=" + uri
	}
	if dns != "" {
		element += ";DNS=" + dns
	}
	return element
}

// FuzzXFCCInjection: a client does not choose the certificate by the names in its
// own, nor by a field that it sends to a proxy that appends to it and sends neither
// URIs nor DNS names.
func FuzzXFCCInjection(f *testing.F) {
	evil := "Hash=" + hexOf(one)
	for _, seed := range []string{
		"", "a", evil, "a;" + evil, "a," + evil, `a";` + evil, `a",` + evil, `";` + evil + `;X="`, `a\`, `"`, `a="`, evil + `;X="`, evil + `;X="\`, evil + ",", evil + `;X=\`,
		`x;Cert="` + url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one}))) + `"`,
	} {
		f.Add(seed, seed, seed)
		f.Add(seed, "a", "b")
		f.Add("a", seed, "b")
	}
	f.Fuzz(func(t *testing.T, commonName, uri, sent string) {
		want := sha256.Sum256(other)
		replaced := envoyElement(hexOf(other), commonName, uri, sent)
		if got, err := proof.XFCCHash(replaced, false); err == nil && got != want {
			t.Fatalf("%q: got %x", replaced, got)
		}
		appended := envoyElement(hexOf(other), commonName, "", "")
		if sent != "" {
			appended = sent + "," + appended
		}
		got, err := proof.XFCCHash(appended, true)
		if err == nil && got != want {
			t.Fatalf("%q: got %x", appended, got)
		}
		if err != nil && sent == "" {
			t.Fatal(errors.Join(err, errors.New("a field without anything from the client is refused")))
		}
	})
}
