package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// tokenClaims are the claims of an access token that the walk-through prints.
type tokenClaims struct {
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Scope    string   `json:"scope"`

	Confirmation struct {
		Thumbprint string `json:"jkt"`
	} `json:"cnf"`
}

// getToken requests a token with the scope of the challenge, for the resource of
// the metadata document.
func (w *walker) getToken(ctx context.Context) error {
	token, err := w.requestToken(ctx, w.challenge.scopes[0], w.metadata.Resource)
	if err != nil {
		return err
	}
	w.read = token
	kind, claims, err := decodeToken(token)
	if err != nil {
		return err
	}
	w.space()
	w.say(`The parameter resource (RFC 8707) is the resource of the metadata document, and it became the
		audience of the token, which is valid for that resource alone. Clients must not rely on the
		contents of a token; this one decodes it only to print it.`)
	w.say(`Its type is %s. It should be at+jwt (RFC 9068), which the verifier requires by default, but
		package op of zitadel/oidc cannot set it. An option of the verifier accepts it from this issuer.`, kind)
	return errors.Join(
		same("typ", kind, "JWT"),
		same("aud", strings.Join(claims.Audience, " "), w.target.Connect),
		same("scope", claims.Scope, readStock))
}

// requestToken gets a token with the client credentials grant, and prints how.
func (w *walker) requestToken(ctx context.Context, scope, resource string) (string, error) {
	answer, err := w.request(ctx, tokenRequest{client: serviceClient, secret: serviceSecret, scope: scope, resource: resource})
	if err != nil {
		return "", err
	}
	kind, claims, err := decodeToken(answer.AccessToken)
	if err != nil {
		return "", err
	}
	w.got("  in it: typ %s, sub %s, scope %s,\naud %s", kind, claims.Subject, claims.Scope, strings.Join(claims.Audience, " "))
	return answer.AccessToken, nil
}

// tokenRequest is a request of the client credentials grant.
type tokenRequest struct {
	client, secret  string
	scope, resource string
	proof           string // for DPoP; may be empty
}

// tokenAnswer holds the members of the response (RFC 6749 §5.1) that the walk-through
// needs.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	Type        string `json:"token_type"`
}

// request sends a token request, and prints it and the response.
func (w *walker) request(ctx context.Context, r tokenRequest) (tokenAnswer, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {r.scope}, "resource": {r.resource}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return tokenAnswer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(r.client, r.secret)
	if r.proof != "" {
		req.Header.Set("DPoP", r.proof)
	}
	var answer tokenAnswer
	err = w.doJSON(req, &answer)
	seen := w.http1.last()
	w.sent("%s as client %s", seen.request(), r.client)
	if r.proof != "" {
		w.sent("DPoP: %s", shorten(r.proof))
	}
	w.sent("grant_type=client_credentials, scope=%s,\nresource=%s", r.scope, r.resource)
	w.got("%s", seen.answer())
	if err != nil {
		return tokenAnswer{}, err
	}
	if r.proof != "" {
		w.got("token_type    %s", answer.Type)
	}
	w.got("access_token  %s", shorten(answer.AccessToken))
	return answer, nil
}

// decodeToken decodes a JWT without verifying it, to print its claims.
func decodeToken(token string) (kind string, claims tokenClaims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", claims, fmt.Errorf("expected a JWT, got %s", shorten(token))
	}
	var header struct {
		Type string `json:"typ"`
	}
	err = errors.Join(decodePart(parts[0], &header), decodePart(parts[1], &claims))
	return header.Type, claims, err
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

// shorten abbreviates a token.
func shorten(token string) string {
	const kept = 12
	if len(token) <= 2*kept {
		return "…"
	}
	return token[:kept] + "…" + token[len(token)-kept/2:]
}

func indentJSON(raw []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return strings.TrimSpace(out.String())
}
