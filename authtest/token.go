package authtest

import (
	"cmp"
	"fmt"
	"maps"
	"time"
)

// The defaults of a [Token].
const (
	defaultSubject  = "user-1"
	defaultClientID = "client-1"
	defaultLifetime = 5 * time.Minute
)

// A Token describes an access token for [Issuer.Mint]. The zero value describes
// a valid token of a user, apart from its missing audience.
type Token struct {
	// Subject is the sub claim; empty means "user-1", and for a client's own token
	// the value that the shape has for it.
	Subject string
	// ClientID is the client_id claim; empty means "client-1".
	ClientID string
	// Audience is the aud claim: a string for one value, an array for several,
	// and no claim for none.
	Audience []string
	// Scope is the scope claim, scopes separated by spaces. Empty means no
	// claim.
	Scope string
	// Roles is the roles claim (RFC 9068 §2.2.3.1). Empty means no claim.
	Roles []string
	// IssuedAt is the iat claim, in whole seconds. Zero means now.
	IssuedAt time.Time
	// Lifetime is the time from IssuedAt to the exp claim. Zero means five
	// minutes. A negative Lifetime makes an expired token if it exceeds the
	// leeway of the verifier.
	Lifetime time.Duration
	// Confirmation is the cnf claim, which binds the token to a key (RFC 7800
	// §3.1), see [ProofKey.Confirmation] and [Certificate.Confirmation]. Nil means
	// no claim.
	Confirmation map[string]any

	// ForClient makes the token one that a client got for itself (RFC 6749 §4.4),
	// with the client as the subject.
	ForClient bool
	// Shape renames, adds and removes header parameters and claims, so that the
	// token looks like one of a provider. The zero value is [ShapeRFC9068].
	Shape Shape

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
	// key that the issuer never published. An opaque token that is forged is one
	// that the issuer does not know.
	Forged bool

	// Opaque makes a random string instead of a JWT. The introspection endpoint
	// answers with its claims, see [Issuer.Introspection]. It has no header and no
	// signature, so Header and Algorithm have no effect. The issuer remembers the
	// last 65,536 opaque tokens. A token with [ShapeGoogle] is always opaque, and
	// the endpoint at [TokenInfoPath] answers about it instead.
	Opaque bool
}

// Omit removes a claim or a parameter, as a value in [Token.Claims],
// [Token.Header], [Proof.Claims] or [Proof.Header].
var Omit any = omit{}

type omit struct{}

// Mint returns the access token that t describes: a JWT (RFC 9068), or an opaque
// string. A token that cannot be minted is reported to the test as an error, and
// the result is empty.
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

func (i *Issuer) mint(t Token) (string, error) {
	if t.Opaque || t.Shape == ShapeGoogle {
		claims, err := i.shape(t, make(map[string]any))
		if err != nil {
			return "", err
		}
		return i.mintOpaque(t, claims), nil
	}
	named := t.Algorithm
	if named == "none" || named == "HS256" {
		named = ""
	}
	k, err := i.signingKey(named)
	if err != nil {
		return "", err
	}
	algorithm, sign, err := k.signature(t.Algorithm, t.Forged, func() (*key, error) { return i.stranger(k.algorithm) })
	if err != nil {
		return "", err
	}
	header := map[string]any{"typ": "at+jwt", "alg": algorithm, "kid": k.id}
	claims, err := i.shape(t, header)
	if err != nil {
		return "", err
	}
	override(header, t.Header)
	return serialize(i.marshal(header), i.marshal(claims), sign)
}

// shape returns the claims of a token, and gives the header its shape.
func (i *Issuer) shape(t Token, header map[string]any) (map[string]any, error) {
	claims := i.claims(t)
	if err := t.Shape.apply(shaping{issuer: i.URL, token: t, header: header, claims: claims}); err != nil {
		return nil, err
	}
	if t.Confirmation != nil {
		claims["cnf"] = t.Confirmation
	}
	override(claims, t.Claims)
	return claims, nil
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

// claims returns the claims of RFC 9068 §2.2.
func (i *Issuer) claims(t Token) map[string]any {
	issued := t.IssuedAt
	if issued.IsZero() {
		issued = time.Now()
	}
	clientID, subject := cmp.Or(t.ClientID, defaultClientID), defaultSubject
	if t.ForClient {
		subject = clientID
	}
	claims := map[string]any{
		"iss":       i.URL,
		"sub":       cmp.Or(t.Subject, subject),
		"client_id": clientID,
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
	if len(t.Roles) > 0 {
		claims["roles"] = t.Roles
	}
	return claims
}

// override sets further values, and removes those that are [Omit].
func override(values, further map[string]any) {
	maps.Copy(values, further)
	maps.DeleteFunc(values, func(_ string, value any) bool { return value == Omit })
}
