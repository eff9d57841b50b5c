package verifier

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// A jwsVector is an example of a standard that is changed, in the manner of the Wycheproof
// test vectors, and what becomes of it. What it does not mention is as it was published.
type jwsVector struct {
	ID       string   `json:"id"`
	Comment  string   `json:"comment"`
	Requires []string `json:"requires"`
	Of       string   `json:"of"` // a name in jws_published.json

	// Algorithms are those that the configuration accepts: that of the example, unless
	// they are given. Keys are those that the issuer publishes: the key of the example,
	// unless they are given.
	Algorithms []string    `json:"algorithms"`
	Keys       []jwkChange `json:"keys"`

	// Header, Payload and Signer make the JWS again, with the private key of the example;
	// see resign. Changes are made to the result, in order; see changeJWS. Raw is what
	// becomes of its three segments, $h, $p and $s.
	Header  string   `json:"header"`
	Payload string   `json:"payload"`
	Signer  string   `json:"signer"`
	Changes []string `json:"changes"`
	Raw     string   `json:"raw"`

	Valid  bool   `json:"valid"`
	Reason string `json:"reason"`
}

// A jwkChange is the public key of an example, changed.
type jwkChange struct {
	Of    string                     `json:"of"` // another example
	Set   map[string]json.RawMessage `json:"set"`
	Omit  []string                   `json:"omit"`
	Whole bool                       `json:"whole"` // with its private part
}

// TestJWSVectors checks the vectors of testdata/jws.json.
func TestJWSVectors(t *testing.T) {
	published := make(map[string]publishedJWS)
	for _, p := range vectors.Read[publishedJWS](t, "testdata/jws_published.json") {
		published[p.Name] = p
	}
	ids := make(map[string]bool)
	valid := 0
	for _, v := range vectors.Read[jwsVector](t, "testdata/jws.json") {
		if ids[v.ID] || v.Comment == "" || len(v.Requires) == 0 || !v.Valid && len(v.Reason) < 3 {
			t.Errorf("%s is there twice, or has no comment, requirement or reason", v.ID)
		}
		ids[v.ID] = true
		if v.Valid {
			valid++
		}
		t.Run(v.ID, func(t *testing.T) { runJWSVector(t, published, v) })
	}
	if len(ids) < 150 || valid < 20 {
		t.Errorf("%d vectors, of which %d are valid", len(ids), valid)
	}
}

func runJWSVector(t *testing.T, published map[string]publishedJWS, v jwsVector) {
	t.Helper()
	p, ok := published[v.Of]
	if !ok {
		t.Fatalf("there is no example %q", v.Of)
	}
	algorithm := p.signatures(t)[0].algorithm
	raw, private := p.JWS, privateKeyOf(t, p.Keys[0])
	if v.Header != "" || v.Payload != "" || v.Signer != "" {
		raw = resign(t, v, raw, algorithm, private)
	}
	for _, change := range v.Changes {
		raw = changeJWS(t, raw, change, private)
	}
	if v.Raw != "" {
		parts := strings.Split(raw, ".")
		raw = strings.NewReplacer("$h", parts[0], "$p", parts[1], "$s", parts[2]).Replace(v.Raw)
	}
	if v.Algorithms == nil {
		v.Algorithms = []string{algorithm}
	}
	keys := []map[string]json.RawMessage{publicJWK(t, p.Keys[0])}
	if v.Keys != nil {
		keys = nil
	}
	for _, change := range v.Keys {
		document := published[cmp.Or(change.Of, v.Of)].Keys[0]
		key := publicJWK(t, document)
		if change.Whole {
			key = nil
			if err := json.Unmarshal(document, &key); err != nil {
				t.Fatal(err)
			}
		}
		maps.Copy(key, change.Set)
		for _, name := range change.Omit {
			delete(key, name)
		}
		keys = append(keys, key)
	}
	payload, err := checkJWS(raw, v.Algorithms, keySetOf(keys...))
	switch {
	case v.Valid:
		want := cmp.Or(v.Payload, string(decodeSegment(t, p.signatures(t)[0].payload)))
		if err != nil || string(payload) != want {
			t.Errorf("got %q and %v, want %q", payload, err, want)
		}
	case err == nil || !strings.Contains(err.Error(), v.Reason):
		t.Errorf("got %q and %v, want %q", payload, err, v.Reason)
	}
}

// privateKeyOf returns the private key of an example.
func privateKeyOf(t *testing.T, document []byte) any {
	t.Helper()
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(document); err != nil {
		t.Fatal(err)
	}
	return key.Key
}

// resign returns an example with another header or payload, signed again. Signer is "salt
// n" for RSASSA-PSS with a salt of n bytes, "hash n" for another hash, "public" for the
// padding of RSASSA-PKCS1-v1_5 alone, which is its signature if the exponent is 1, and
// "secret" for HS256 with the public key.
func resign(t *testing.T, v jwsVector, raw, algorithm string, private any) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	if v.Header != "" {
		parts[0] = jwt.Encoding.EncodeToString([]byte(v.Header))
	}
	if v.Payload != "" {
		parts[1] = jwt.Encoding.EncodeToString([]byte(v.Payload))
	}
	input := []byte(parts[0] + "." + parts[1])
	name, argument, _ := strings.Cut(v.Signer, " ")
	number, _ := strconv.Atoi(argument)
	hash := hashOf(algorithm)
	if name == "hash" {
		hash = map[int]crypto.Hash{1: crypto.SHA1, 256: crypto.SHA256, 384: crypto.SHA384, 512: crypto.SHA512}[number]
	}
	hasher := hash.New()
	hasher.Write(input)
	digest := hasher.Sum(nil)
	var signature []byte
	var err error
	switch key := private.(type) {
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write(input)
		signature = mac.Sum(nil)
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, key, digest); err == nil {
			signature = pair(r, s, (key.Params().BitSize+7)/8)
		}
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, input)
	case *rsa.PrivateKey:
		switch {
		case name == "public":
			signature = paddedDigest(key, digest)
		case name == "salt":
			signature = saltedPSS(key, hash, digest, number)
		case strings.HasPrefix(algorithm, "PS"):
			signature = saltedPSS(key, hash, digest, hash.Size())
		default:
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return parts[0] + "." + parts[1] + "." + jwt.Encoding.EncodeToString(signature)
}

// paddedDigest returns what a signature with PKCS #1 v1.5 stands for (RFC 8017 §9.2).
func paddedDigest(key *rsa.PrivateKey, digest []byte) []byte {
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
	if err != nil {
		panic(err)
	}
	message := new(big.Int).SetBytes(signature)
	return message.Exp(message, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
}

// saltedPSS returns a signature with a salt of zeros (RFC 8017 §9.1.1). Package rsa makes
// none without a salt.
func saltedPSS(key *rsa.PrivateKey, hash crypto.Hash, digest []byte, salt int) []byte {
	sum := func(parts ...[]byte) []byte {
		h := hash.New()
		h.Write(slices.Concat(parts...))
		return h.Sum(nil)
	}
	seed := sum(make([]byte, 8), digest, make([]byte, salt))
	block := make([]byte, key.Size()-len(seed)-1)
	block[len(block)-salt-1] = 1
	for i := range block { // MGF1
		block[i] ^= sum(seed, []byte{0, 0, 0, byte(i / hash.Size())})[i%hash.Size()]
	}
	block[0] &= 0x7f
	message := new(big.Int).SetBytes(slices.Concat(block, seed, []byte{0xbc}))
	return message.Exp(message, key.D, key.N).FillBytes(make([]byte, key.Size()))
}
