package authtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"time"
)

// The values that a [Token] has unless it says otherwise.
const (
	defaultSubject  = "user-1"
	defaultClientID = "client-1"
	defaultLifetime = 5 * time.Minute
)

// A Token says what [Issuer.Mint] puts into an access token. The zero value is
// a good token that lacks nothing but an audience.
type Token struct {
	// Subject is the sub claim; empty means "user-1".
	Subject string
	// ClientID is the client_id claim; empty means "client-1".
	ClientID string
	// Audience is the aud claim. A single value becomes a string, several
	// become an array; without any the claim is left out.
	Audience []string
	// Scope is the scope claim, scopes separated by spaces. When empty the
	// claim is left out.
	Scope string
	// IssuedAt is the iat claim, at a resolution of one second. The zero value
	// means now.
	IssuedAt time.Time
	// Lifetime is the time from IssuedAt to the exp claim. Zero means five
	// minutes; a negative one makes a token that has expired, to a verifier whose
	// leeway is shorter.
	Lifetime time.Duration

	// Claims are further claims, which win over all others. The value [Omit]
	// removes a claim.
	Claims map[string]any
	// Header are further header parameters, which win over all others. The
	// value [Omit] removes a parameter. They change what the header says, not
	// how the token is signed.
	Header map[string]any

	// Algorithm is one of those that the issuer has a key for; empty means the
	// first. Two more make tokens that nobody may accept: "none" leaves the
	// signature empty, and "HS256" signs with the public key of the issuer as
	// the secret (RFC 8725 §2.1).
	Algorithm string
	// Forged tokens name a key of the issuer, but are signed with another one,
	// which the issuer never published.
	Forged bool
}

// Omit leaves a claim or a parameter out, as a value in [Token.Claims] or
// [Token.Header].
var Omit any = omit{}

type omit struct{}

// Mint returns a signed access token (RFC 9068) as t describes it. What cannot
// be minted is reported to the test as an error, and the result is empty.
func (i *Issuer) Mint(t Token) string {
	i.reporter.Helper()
	token, err := i.mint(t)
	if err != nil {
		i.reporter.Errorf("authtest: mint: %v", err)
		return ""
	}
	return token
}

// Sign returns a token with exactly these bytes as header and claims, which
// need not even be JSON. It is signed with the first key of the issuer. A
// failure is reported to the test as an error, and the result is empty.
func (i *Issuer) Sign(header, claims string) string {
	i.reporter.Helper()
	k, err := i.signingKey("")
	if err == nil {
		var token string
		if token, err = serialize([]byte(header), []byte(claims), k.sign); err == nil {
			return token
		}
	}
	i.reporter.Errorf("authtest: sign: %v", err)
	return ""
}

// Tamper returns the token with one bit of its signature changed. A token
// without a signature is returned as it is.
func Tamper(token string) string {
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || len(signature) == 0 {
		return token
	}
	signature[0] ^= 1
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}

func (i *Issuer) mint(t Token) (string, error) {
	id, algorithm, sign, err := i.signature(t)
	if err != nil {
		return "", err
	}
	header := override(map[string]any{"typ": "at+jwt", "alg": algorithm, "kid": id}, t.Header)
	claims := override(i.claims(t), t.Claims)
	return serialize(i.marshal(header), i.marshal(claims), sign)
}

type signFunc func(input []byte) ([]byte, error)

// signature decides what the header of a token says about its signature, and
// how the signature is made.
func (i *Issuer) signature(t Token) (id, algorithm string, sign signFunc, err error) {
	named := t.Algorithm
	if named == "none" || named == "HS256" {
		named = ""
	}
	k, err := i.signingKey(named)
	if err != nil {
		return "", "", nil, err
	}
	switch {
	case t.Algorithm == "none":
		return k.id, t.Algorithm, func([]byte) ([]byte, error) { return nil, nil }, nil
	case t.Algorithm == "HS256":
		return k.id, t.Algorithm, k.signWithPublicKey, nil
	case t.Forged:
		stranger, err := i.stranger(k.algorithm)
		if err != nil {
			return "", "", nil, err
		}
		return k.id, k.algorithm, stranger.sign, nil
	default:
		return k.id, k.algorithm, k.sign, nil
	}
}

func (i *Issuer) signingKey(algorithm string) (*key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, k := range i.signing {
		if algorithm == "" || k.algorithm == algorithm {
			return k, nil
		}
	}
	return nil, fmt.Errorf("the issuer has no key for %q: name the algorithm in NewIssuer", algorithm)
}

// stranger returns a key that is never published, the same one each time.
func (i *Issuer) stranger(algorithm string) (*key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, k := range i.strangers {
		if k.algorithm == algorithm {
			return k, nil
		}
	}
	k, err := generateKey("", algorithm)
	if err != nil {
		return nil, err
	}
	i.strangers = append(i.strangers, k)
	return k, nil
}

func (i *Issuer) claims(t Token) map[string]any {
	issued := t.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	claims := map[string]any{
		"iss":       i.URL,
		"sub":       cmp.Or(t.Subject, defaultSubject),
		"client_id": cmp.Or(t.ClientID, defaultClientID),
		"iat":       issued.Unix(),
		"exp":       issued.Add(cmp.Or(t.Lifetime, defaultLifetime)).Unix(),
		"jti":       fmt.Sprintf("token-%d", i.minted.Add(1)),
	}
	switch len(t.Audience) {
	case 0:
	case 1:
		claims["aud"] = t.Audience[0]
	default:
		claims["aud"] = t.Audience
	}
	if t.Scope != "" {
		claims["scope"] = t.Scope
	}
	return claims
}

func override(values, further map[string]any) map[string]any {
	maps.Copy(values, further)
	maps.DeleteFunc(values, func(_ string, value any) bool { return value == Omit })
	return values
}

// signWithPublicKey makes the signature of an attacker who hopes that the
// verifier takes the key of an asymmetric algorithm for a shared secret.
func (k *key) signWithPublicKey(input []byte) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		return nil, err
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	mac := hmac.New(sha256.New, secret)
	mac.Write(input)
	return mac.Sum(nil), nil
}

// serialize makes a JWS in compact serialization (RFC 7515 §7.1).
func serialize(header, claims []byte, sign signFunc) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(header) + "." + encode(claims)
	signature, err := sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + encode(signature), nil
}
