package verifier

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha512" // for crypto.Hash
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/drawbridge-rpc/drawbridge/internal/jwt"
	"github.com/drawbridge-rpc/drawbridge/internal/vectors"
)

// A publishedJWS is an example of a standard: a JWS with its keys. Their private parts
// are in the standards, too.
type publishedJWS struct {
	Name    string            `json:"name"`
	Comment string            `json:"comment"`
	Keys    []json.RawMessage `json:"keys"` // one for each signature
	JWS     string            `json:"jws"`
	Content string            `json:"content"` // what a detached payload is
	Reason  string            `json:"reason"`  // why it is refused here, although it is correct
}

// A publishedSignature is one signature of a JWS.
type publishedSignature struct {
	protected, payload, signature string
	algorithm                     string
}

// signatures takes a JWS apart without the code under test.
func (p publishedJWS) signatures(t *testing.T) []publishedSignature {
	t.Helper()
	type signature struct {
		Protected string
		Header    struct{ Alg string }
		Signature string
	}
	var all struct {
		signature

		Payload    string
		Signatures []signature
	}
	if strings.HasPrefix(p.JWS, "{") {
		if err := json.Unmarshal([]byte(p.JWS), &all); err != nil {
			t.Fatal(err)
		}
	} else {
		parts := strings.Split(p.JWS, ".")
		all.Protected, all.Payload, all.Signature = parts[0], parts[1], parts[2]
	}
	if all.Signatures == nil {
		all.Signatures = []signature{all.signature}
	}
	if p.Content != "" {
		all.Payload = p.Content
	}
	var found []publishedSignature
	for _, s := range all.Signatures {
		var header struct{ Alg string }
		if s.Protected != "" {
			if err := json.Unmarshal(decodeSegment(t, s.Protected), &header); err != nil {
				t.Fatal(err)
			}
		}
		found = append(found, publishedSignature{s.Protected, all.Payload, s.Signature, header.Alg + s.Header.Alg})
	}
	return found
}

func decodeSegment(t *testing.T, segment string) []byte {
	t.Helper()
	data, err := jwt.Encoding.DecodeString(segment)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// isCorrect checks a signature with the standard library alone (RFC 7518 §3).
func (s publishedSignature) isCorrect(t *testing.T, document []byte) bool {
	t.Helper()
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(document); err != nil {
		t.Fatal(err)
	}
	input, signature := []byte(s.protected+"."+s.payload), decodeSegment(t, s.signature)
	hash := hashOf(s.algorithm)
	digest := func() []byte { h := hash.New(); h.Write(input); return h.Sum(nil) }()
	half := len(signature) / 2
	switch key := key.Key.(type) {
	case []byte:
		mac := hmac.New(hash.New, key)
		mac.Write(input)
		return hmac.Equal(mac.Sum(nil), signature)
	case *rsa.PrivateKey:
		if strings.HasPrefix(s.algorithm, "PS") {
			return rsa.VerifyPSS(&key.PublicKey, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(&key.PublicKey, hash, digest, signature) == nil
	case *ecdsa.PrivateKey:
		return ecdsa.Verify(&key.PublicKey, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case ed25519.PrivateKey:
		return ed25519.Verify(key.Public().(ed25519.PublicKey), input, signature)
	default:
		t.Fatalf("%T", key)
		return false
	}
}

// hashOf returns the hash of an algorithm.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm[2:] {
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}

// TestPublishedVectors has the examples of the standards. Each is as it was published,
// because its signature is correct, and what is accepted here is one of them as a whole.
func TestPublishedVectors(t *testing.T) {
	for _, p := range vectors.Read[publishedJWS](t, "testdata/jws_published.json") {
		t.Run(p.Name, func(t *testing.T) {
			signatures := p.signatures(t)
			if len(signatures) != len(p.Keys) {
				t.Fatalf("%d signatures and %d keys", len(signatures), len(p.Keys))
			}
			for i, s := range signatures {
				if s.algorithm == "none" {
					if s.signature != "" {
						t.Error("R7515-A.5: a signature without an algorithm")
					}
					continue
				}
				if !s.isCorrect(t, p.Keys[i]) {
					t.Errorf("the signature with %s is not that of the standard", s.algorithm)
				}
			}
			payload, err := checkJWS(p.JWS, []string{signatures[0].algorithm}, keySetOf(publicJWK(t, p.Keys[0])))
			if p.Reason != "" {
				if err == nil || !strings.Contains(err.Error(), p.Reason) {
					t.Errorf("got %v, want %q", err, p.Reason)
				}
				return
			}
			if err != nil || !bytes.Equal(payload, decodeSegment(t, signatures[0].payload)) {
				t.Errorf("got %q and %v", payload, err)
			}
		})
	}
}

// checkJWS does what an issuer does with a token, less its claims: it checks the syntax,
// the header and the signature, with the keys of a key set.
func checkJWS(raw string, algorithms []string, keySet string) (payload []byte, err error) {
	segments, err := jwt.ParseCompact(raw)
	if err != nil {
		return nil, err
	}
	policy := newHeaderPolicy(JWTConfig{Algorithms: algorithms, AcceptTypeJWT: true})
	header, err := policy.scan(segments.Header)
	if err != nil {
		return nil, err
	}
	fetched, err := parseKeySet([]byte(keySet), algorithms)
	if err != nil {
		return nil, err
	}
	token := &signed{segments: segments, header: header, policy: &policy}
	if err := newKeys("ISS", fetched, nil, 1, time.Unix(0, 0)).verify(token); err != nil {
		return nil, err
	}
	return token.payload, nil
}

// publicJWK returns a JWK without its private part, unless it is a secret.
func publicJWK(t *testing.T, document []byte) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		delete(members, name)
	}
	return members
}

func keySetOf(keys ...map[string]json.RawMessage) string {
	document, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	return string(document)
}
