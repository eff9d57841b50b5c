package authtest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionType is the client_assertion_type of RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// clientLeeway is the tolerated difference between the clock of a client and ours.
const clientLeeway = 30 * time.Second

var (
	authMethods         = []string{"client_secret_basic", "client_secret_post", "private_key_jwt"}
	assertionAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.RS256, jose.PS256}
)

// authenticate returns the client that a request comes from (RFC 6749 §2.3).
func (i *Issuer) authenticate(r *http.Request) (Client, *refusal) {
	id, secret, isBasic := basicCredentials(r)
	hasAssertion := r.PostForm.Has("client_assertion")
	if isBasic && r.PostForm.Has("client_secret") || hasAssertion && (isBasic || r.PostForm.Has("client_secret")) {
		return Client{}, badRequest("invalid_request", "the client authenticates in two ways")
	}
	if hasAssertion {
		return i.checkAssertion(r.PostForm)
	}
	if !isBasic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	known, ok := i.client(id)
	if !ok || known.Secret == "" || subtle.ConstantTimeCompare([]byte(known.Secret), []byte(secret)) != 1 {
		return Client{}, invalidClient("the client is unknown, or its secret is wrong")
	}
	return known, nil
}

func (i *Issuer) client(id string) (Client, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	known, ok := i.clients[id]
	return known, ok
}

// checkAssertion returns the client that a form with an assertion comes from
// (RFC 7523 §3).
func (i *Issuer) checkAssertion(form url.Values) (Client, *refusal) {
	if form.Get("client_assertion_type") != assertionType {
		return Client{}, invalidClient("the type of the assertion is not that of RFC 7523")
	}
	assertion, err := jwt.ParseSigned(form.Get("client_assertion"), assertionAlgorithms)
	var claimed, claims jwt.Claims
	if err != nil || assertion.UnsafeClaimsWithoutVerification(&claimed) != nil {
		return Client{}, invalidClient("the assertion is not a JWT with an asymmetric signature")
	}
	known, ok := i.client(claimed.Issuer)
	if !ok || known.Key == nil || assertion.Claims(known.Key, &claims) != nil {
		return Client{}, invalidClient("the client of the assertion is unknown, or its signature is wrong")
	}
	if form.Has("client_id") && form.Get("client_id") != known.ID {
		return Client{}, invalidClient("the assertion is that of another client")
	}
	expected := jwt.Expected{
		Subject:     known.ID,
		AnyAudience: jwt.Audience{i.URL, i.URL + tokenPath, i.URL + introspectionPath},
		Time:        time.Now(),
	}
	if claims.ValidateWithLeeway(expected, clientLeeway) != nil || claims.Expiry == nil {
		return Client{}, invalidClient("the assertion has a wrong subject or audience, or is not valid now")
	}
	if claims.ID == "" || !i.useOnce("assertion", known.ID, claims.ID) {
		return Client{}, invalidClient("the assertion has no jti, or was used before")
	}
	return known, nil
}

// useOnce reports whether a jti, which is unique within the other parts, is used
// for the first time.
func (i *Issuer) useOnce(kind, by, id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.used.put(kind+"\x00"+by+"\x00"+id, struct{}{})
}

// basicCredentials returns the id and the secret in the Authorization field, where
// both are form-encoded.
func basicCredentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	decodedID, idErr := url.QueryUnescape(id)
	decodedSecret, secretErr := url.QueryUnescape(secret)
	if idErr != nil || secretErr != nil {
		return id, secret, true
	}
	return decodedID, decodedSecret, true
}
