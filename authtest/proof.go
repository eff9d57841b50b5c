package authtest

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A ProofKey is the key of a client that uses DPoP (RFC 9449). It is safe for
// concurrent use. The zero value is not usable; use [NewProofKey].
type ProofKey struct {
	reporter reporter
	key      *key
	stranger func() (*key, error) // never in the header, see Proof.Forged
}

// NewProofKey generates a key for an algorithm, "ES256", "RS256" or "EdDSA"; empty
// means "ES256". An unknown algorithm ends the test with Fatalf. Later mistakes are
// reported with Errorf, or panic if tb is a [testing.F]. tb may be nil in a program
// without a test, such as an example; all mistakes then panic.
//
// RSA keys are slow to generate. They are reused when the test has ended.
func NewProofKey(tb testing.TB, algorithm string) *ProofKey {
	r := reporterOf(tb)
	r.Helper()
	k, err := generateKey("", cmp.Or(algorithm, "ES256"))
	must(tb, err)
	if tb != nil {
		tb.Cleanup(k.recycle)
	}
	return &ProofKey{
		reporter: r,
		key:      k,
		stranger: sync.OnceValues(func() (*key, error) { return generateKey("", k.algorithm) }),
	}
}

// A Proof describes a DPoP proof (RFC 9449 §4.2) for [ProofKey.Prove]. With Method
// and URL alone, it is a valid one for a request without an access token.
type Proof struct {
	// Method is the htm claim, the method of the request.
	Method string
	// URL is that of the request. The htu claim is the part before its query and
	// its fragment.
	URL string
	// AccessToken is the token that the request is sent with. The ath claim is its
	// hash. Empty means no claim.
	AccessToken string
	// Nonce is the nonce claim, which the server has sent in the field DPoP-Nonce.
	// Empty means no claim.
	Nonce string
	// IssuedAt is the iat claim, in whole seconds. Zero means now.
	IssuedAt time.Time
	// ID is the jti claim. Empty means a new one.
	ID string

	// Claims are further claims. They override those above; the value [Omit]
	// removes a claim.
	Claims map[string]any
	// Header are further header parameters. They override the default ones: typ
	// "dpop+jwt", alg and jwk. The value [Omit] removes a parameter. They do not
	// change how the proof is signed.
	Header map[string]any

	// Algorithm is that of the key if it is empty. Two more make proofs that must
	// be refused: "none" leaves the signature empty, and "HS256" signs with the
	// public key as the secret.
	Algorithm string
	// Forged makes a proof that is signed with another key than that in its
	// header.
	Forged bool
}

// Prove returns the value of the field DPoP that p describes. A proof that cannot
// be made is reported to the test as an error, and the result is empty.
func (k *ProofKey) Prove(p Proof) string {
	k.reporter.Helper()
	raw, err := k.prove(p)
	if err != nil {
		k.reporter.Errorf("authtest: prove: %v", err)
		return ""
	}
	return raw
}

func (k *ProofKey) prove(p Proof) (string, error) {
	algorithm, sign, err := k.key.signature(p.Algorithm, p.Forged, k.stranger)
	if err != nil {
		return "", err
	}
	issued := p.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	target := p.URL
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		target = target[:end]
	}
	header := map[string]any{"typ": "dpop+jwt", "alg": algorithm, "jwk": k.JWK()}
	claims := map[string]any{"htm": p.Method, "htu": target, "iat": issued.Unix(), "jti": cmp.Or(p.ID, rand.Text())}
	if p.AccessToken != "" {
		hash := sha256.Sum256([]byte(p.AccessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	if p.Nonce != "" {
		claims["nonce"] = p.Nonce
	}
	override(header, p.Header)
	override(claims, p.Claims)
	headerJSON, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	claimsJSON, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return serialize(headerJSON, claimsJSON, sign)
}

// Sign returns a proof with exactly these bytes as header and claims, which need
// not be JSON. A failure is reported to the test as an error, and the result is
// empty.
func (k *ProofKey) Sign(header, claims string) string {
	k.reporter.Helper()
	raw, err := serialize([]byte(header), []byte(claims), k.key.sign)
	if err != nil {
		k.reporter.Errorf("authtest: sign: %v", err)
		return ""
	}
	return raw
}

// Confirmation returns the cnf claim of a token that is bound to the key (RFC 9449
// §6.1), for [Token.Confirmation].
func (k *ProofKey) Confirmation() map[string]any { return map[string]any{"jkt": k.Thumbprint()} }

// Thumbprint returns the thumbprint of the key (RFC 7638).
func (k *ProofKey) Thumbprint() string {
	k.reporter.Helper()
	public := jose.JSONWebKey{Key: k.key.signer.Public()}
	hash, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		k.reporter.Errorf("authtest: thumbprint: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(hash)
}

// JWK returns the public key as the members of a JWK (RFC 7517 §4). It is the
// caller's own, to be changed for the header of a bad [Proof].
func (k *ProofKey) JWK() map[string]any { return k.members(k.key.signer.Public()) }

// PrivateJWK is [ProofKey.JWK] with the members of the private key, which must not
// be in a proof (RFC 9449 §4.3).
func (k *ProofKey) PrivateJWK() map[string]any { return k.members(k.key.signer) }

func (k *ProofKey) members(of any) map[string]any {
	k.reporter.Helper()
	var members map[string]any
	document, err := jose.JSONWebKey{Key: of}.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(document, &members)
	}
	if err != nil {
		k.reporter.Errorf("authtest: key: %v", err)
	}
	return members
}
