package verifier_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An attackKey signs with one algorithm.
type attackKey struct{ signer crypto.Signer }

// attackKeys are the keys that an issuer publishes, and those of an attacker, by their
// algorithm.
type attackKeys struct {
	published, strange map[string]attackKey
	certificates       map[string]string // for the keys of the attacker
}

func newAttackKeys(t testing.TB) *attackKeys {
	t.Helper()
	k := &attackKeys{newKeySet(t), newKeySet(t), make(map[string]string)}
	for algorithm, key := range k.strange {
		k.certificates[algorithm] = key.certificate()
	}
	return k
}

// newKeySet returns a key for each algorithm.
func newKeySet(t testing.TB) map[string]attackKey {
	t.Helper()
	set := make(map[string]attackKey)
	keep := func(algorithm string, signer crypto.Signer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		set[algorithm] = attackKey{signer}
	}
	for algorithm, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		keep(algorithm, private, err)
	}
	for _, algorithm := range []string{"RS256", "PS256"} {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		keep(algorithm, private, err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	keep("EdDSA", private, err)
	return set
}

// document returns the public key as a JWK.
func (k attackKey) document(algorithm string) string {
	text, err := jose.JSONWebKey{Key: k.signer.Public(), KeyID: algorithm + "-1", Algorithm: algorithm, Use: "sig"}.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(text)
}

// certificate returns a certificate that the key has signed itself, as in x5c (RFC 7515
// §4.1.6).
func (k attackKey) certificate() string {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.signer.Public(), k.signer)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// keySet returns the document with the published keys.
func (k *attackKeys) keySet() string {
	var keys []string
	for _, algorithm := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		keys = append(keys, k.published[algorithm].document(algorithm))
	}
	return `{"keys":[` + strings.Join(keys, ",") + `]}`
}

// sign returns a signature in the form of RFC 7518 §3.
func (k attackKey) sign(input string, hash crypto.Hash, options crypto.SignerOpts) []byte {
	hasher := hash.New()
	_, _ = hasher.Write([]byte(input)) // never fails
	digest := hasher.Sum(nil)
	var signature []byte
	var err error
	switch signer := k.signer.(type) {
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, signer, digest); err == nil {
			signature = fixedPair(r, s, (signer.Params().BitSize+7)/8)
		}
	case ed25519.PrivateKey:
		signature = ed25519.Sign(signer, []byte(input))
	default:
		signature, err = signer.Sign(rand.Reader, digest, options)
	}
	if err != nil {
		panic(err)
	}
	return signature
}

// fixedPair returns two numbers of a given number of bytes each (RFC 7518 §3.4).
func fixedPair(r, s *big.Int, size int) []byte {
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// A signing is what a signature covers.
type signing struct {
	algorithm             string
	header, claims, input string
	before                string // the input with the claims of a good token
}

// sign returns the signature of who is named: "" for the issuer, or one of the signers
// with its argument.
func (w *tokenWorkshop) sign(t *testing.T, who string, s signing) []byte {
	t.Helper()
	name, argument, _ := strings.Cut(who, " ")
	sign, ok := signers[name]
	if !ok {
		t.Fatalf("there is no signer %q", who)
	}
	return sign(w, s, argument)
}

// signers are who signs a token.
var signers = map[string]func(w *tokenWorkshop, s signing, argument string) []byte{
	// The issuer, with the key of the token or another one.
	"": func(w *tokenWorkshop, s signing, _ string) []byte {
		return signAs(w.published[s.algorithm], s.algorithm, s.input)
	},
	"issuer": func(w *tokenWorkshop, s signing, algorithm string) []byte {
		return signAs(w.published[algorithm], algorithm, s.input)
	},
	// The attacker, with a key of the same kind or another one.
	"stranger": func(w *tokenWorkshop, s signing, algorithm string) []byte {
		if algorithm == "" {
			algorithm = s.algorithm
		}
		return signAs(w.strange[algorithm], algorithm, s.input)
	},
	"nobody": func(*tokenWorkshop, signing, string) []byte { return nil },
	// Someone who takes what everybody knows for a shared secret (RFC 8725 §2.1).
	"secret": func(w *tokenWorkshop, s signing, secret string) []byte {
		mac := hmac.New(sha256.New, sharedSecret(w.published[s.algorithm], s.algorithm, secret))
		_, _ = mac.Write([]byte(s.input)) // never fails
		return mac.Sum(nil)
	},
	// The issuer, with another hash or another salt than its algorithm has.
	"hash": func(w *tokenWorkshop, s signing, name string) []byte {
		hash := map[string]crypto.Hash{"SHA-1": crypto.SHA1, "SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512}[name]
		return w.published[s.algorithm].sign(s.input, hash, hash)
	},
	"salt": func(w *tokenWorkshop, s signing, length string) []byte {
		bytes, _ := strconv.Atoi(length)
		return pss(w.published["PS256"].signer.(*rsa.PrivateKey), s.input, bytes)
	},
	// The issuer, over something else than RFC 7515 §5.1 says.
	"over": func(w *tokenWorkshop, s signing, what string) []byte {
		input := map[string]string{"claims": s.claims, "payload": s.input[strings.IndexByte(s.input, '.')+1:], "text": s.header + "." + s.claims, "dot": s.input + ".", "before": s.before}[what]
		return signAs(w.published[s.algorithm], s.algorithm, input)
	},
}

func signAs(k attackKey, algorithm, input string) []byte {
	switch algorithm {
	case "PS256":
		return k.sign(input, crypto.SHA256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case "ES384":
		return k.sign(input, crypto.SHA384, nil)
	case "ES512":
		return k.sign(input, crypto.SHA512, nil)
	default:
		return k.sign(input, crypto.SHA256, crypto.SHA256)
	}
}

// sharedSecret returns what a verifier may take for the secret of HS256.
func sharedSecret(k attackKey, algorithm, form string) []byte {
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		panic(err)
	}
	switch form {
	case "PEM":
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	case "trimmed PEM":
		return bytes.TrimSpace(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	case "DER":
		return der
	case "JWK":
		return []byte(k.document(algorithm))
	case "PKCS1":
		return x509.MarshalPKCS1PublicKey(k.signer.Public().(*rsa.PublicKey))
	case "modulus":
		return k.signer.Public().(*rsa.PublicKey).N.Bytes()
	case "kid":
		return []byte(algorithm + "-1")
	case "nothing":
		return nil
	default:
		panic("no secret " + form)
	}
}

// signatureChanges are what an attacker does to a good signature.
var signatureChanges = map[string]func([]byte) []byte{
	"":           func(s []byte) []byte { return s },
	"none":       func([]byte) []byte { return nil },
	"bit":        func(s []byte) []byte { return changed(s, 0, s[0]^1) },
	"last bit":   func(s []byte) []byte { return changed(s, len(s)-1, s[len(s)-1]^1) },
	"zeros":      func(s []byte) []byte { return make([]byte, len(s)) },
	"ones":       func(s []byte) []byte { return bytes.Repeat([]byte{0xff}, len(s)) },
	"one byte":   func(s []byte) []byte { return s[:1] },
	"half":       func(s []byte) []byte { return s[:len(s)/2] },
	"truncated":  func(s []byte) []byte { return s[:len(s)-1] },
	"extended":   func(s []byte) []byte { return append(bytes.Clone(s), 0) },
	"prefixed":   func(s []byte) []byte { return append([]byte{0}, s...) },
	"twice":      func(s []byte) []byte { return append(bytes.Clone(s), s...) },
	"reversed":   func(s []byte) []byte { r := bytes.Clone(s); slices.Reverse(r); return r },
	"r zero":     func(s []byte) []byte { return p256(func(r, _ *big.Int) { r.SetInt64(0) })(s) },
	"s zero":     func(s []byte) []byte { return p256(func(_, s *big.Int) { s.SetInt64(0) })(s) },
	"both one":   func(s []byte) []byte { return p256(func(r, s *big.Int) { r.SetInt64(1); s.SetInt64(1) })(s) },
	"r order":    func(s []byte) []byte { return p256(func(r, _ *big.Int) { r.Set(order) })(s) },
	"s order":    func(s []byte) []byte { return p256(func(_, s *big.Int) { s.Set(order) })(s) },
	"both order": func(s []byte) []byte { return p256(func(r, s *big.Int) { r.Set(order); s.Set(order) })(s) },
	"r negated":  func(s []byte) []byte { return p256(func(r, _ *big.Int) { r.Sub(order, r) })(s) },
	"s negated":  func(s []byte) []byte { return p256(func(_, s *big.Int) { s.Sub(order, s) })(s) },
	"swapped":    func(s []byte) []byte { return append(bytes.Clone(s[len(s)/2:]), s[:len(s)/2]...) },
	"DER": func(s []byte) []byte {
		r, t := new(big.Int).SetBytes(s[:len(s)/2]), new(big.Int).SetBytes(s[len(s)/2:])
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, t})
		if err != nil {
			panic(err)
		}
		return der
	},
	"s and the group": ed25519Again,
}

// order is that of the group of P-256.
var order = elliptic.P256().Params().N

func changed(s []byte, at int, value byte) []byte {
	s = bytes.Clone(s)
	s[at] = value
	return s
}

// p256 returns a function that changes the two numbers of a signature with ES256.
func p256(change func(r, s *big.Int)) func([]byte) []byte {
	return func(signature []byte) []byte {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		change(r, s)
		return fixedPair(r, s, 32)
	}
}

// ed25519Again returns a signature whose second number is greater by the order of the
// group, which RFC 8032 §5.1.7 refuses.
func ed25519Again(signature []byte) []byte {
	group, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := bytes.Clone(signature[32:])
	slices.Reverse(s) // it is little-endian
	s = new(big.Int).Add(new(big.Int).SetBytes(s), group).FillBytes(make([]byte, 32))
	slices.Reverse(s)
	return append(bytes.Clone(signature[:32]), s...)
}

// pss returns a signature with SHA-256 and a salt of zeros (RFC 8017 §9.1.1). Package rsa
// makes none without a salt.
func pss(private *rsa.PrivateKey, input string, salt int) []byte {
	digest := sha256.Sum256([]byte(input))
	hash := sha256.Sum256(slices.Concat(make([]byte, 8), digest[:], make([]byte, salt)))
	size := private.Size()
	block := make([]byte, size-len(hash)-1)
	block[len(block)-salt-1] = 1
	for i := range block { // MGF1
		mask := sha256.Sum256(slices.Concat(hash[:], []byte{0, 0, 0, byte(i / sha256.Size)}))
		block[i] ^= mask[i%sha256.Size]
	}
	block[0] &= 0x7f
	message := new(big.Int).SetBytes(slices.Concat(block, hash[:], []byte{0xbc}))
	return message.Exp(message, private.D, private.N).FillBytes(make([]byte, size))
}
