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

// The defaults of a [Token].
const (
	defaultSubject  = "user-1"
	defaultClientID = "client-1"
	defaultLifetime = 5 * time.Minute
)

// A Token describes an access token for [Issuer.Mint]. The zero value describes
// a valid token, apart from its missing audience.
type Token struct {
	// Subject is the sub claim; empty means "user-1".
	Subject string
	// ClientID is the client_id claim; empty means "client-1".
	ClientID string
	// Audience is the aud claim: a string for one value, an array for several,
	// and no claim for none.
	Audience []string
	// Scope is the scope claim, scopes separated by spaces. Empty means no
	// claim.
	Scope string
	// IssuedAt is the iat claim, in whole seconds. Zero means now.
	IssuedAt time.Time
	// Lifetime is the time from IssuedAt to the exp claim. Zero means five
	// minutes. A negative Lifetime makes an expired token if it exceeds the
	// leeway of the verifier.
	Lifetime time.Duration

	// Claims are further claims. They override those above; the value [Omit]
	// removes a claim.
	Claims map[string]any
	// Header are further header parameters. They override the default ones; the
	// value [Omit] removes a parameter. They do not change how the token is
	// signed.
	Header map[string]any

	// Algorithm is an algorithm of the issuer; empty means its first. Two more
	// make tokens that must be refused: "none" leaves the signature empty, and
	// "HS256" signs with the issuer's public key as the secret (RFC 8725 §2.1).
	Algorithm string
	// Forged makes a token that names a key of the issuer but is signed with a
	// key that the issuer never published.
	Forged bool
}

// Omit removes a claim or a parameter, as a value in [Token.Claims] or
// [Token.Header].
var Omit any = omit{}

type omit struct{}

// Mint returns the signed access token (RFC 9068) that t describes. A token
// that cannot be minted is reported to the test as an error, and the result is
// empty.
func (i *Issuer) Mint(t Token) string {
	i.reporter.Helper()
	raw, err := i.mint(t)
	if err != nil {
		i.reporter.Errorf("authtest: mint: %v", err)
		return ""
	}
	return raw
}

// Sign returns a token with exactly these bytes as header and claims, which
// need not be JSON, signed with the first key of the issuer. A failure is
// reported to the test as an error, and the result is empty.
func (i *Issuer) Sign(header, claims string) string {
	i.reporter.Helper()
	k, err := i.signingKey("")
	if err == nil {
		var raw string
		if raw, err = serialize([]byte(header), []byte(claims), k.sign); err == nil {
			return raw
		}
	}
	i.reporter.Errorf("authtest: sign: %v", err)
	return ""
}

// Tamper returns a token with one bit of its signature changed. It returns a
// token without a signature unchanged.
func Tamper(raw string) string {
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil || len(signature) == 0 {
		return raw
	}
	signature[0] ^= 1
	return raw[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
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

// signature returns the key ID and the algorithm for the header of a token, and
// the function that signs it.
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
	return nil, fmt.Errorf("the issuer has no key for %q; pass the algorithm to NewIssuer", algorithm)
}

// stranger returns a key that is never published, the same one for each call.
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

// signWithPublicKey makes the signature of an attacker against verifiers that
// use the public key of an asymmetric algorithm as a shared secret.
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

// serialize returns a JWS in compact serialization (RFC 7515 §7.1).
func serialize(header, claims []byte, sign signFunc) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(header) + "." + encode(claims)
	signature, err := sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + encode(signature), nil
}
