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
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, "resource": {resource}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(serviceClient, serviceSecret)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	err = w.doJSON(req, &answer)
	seen := w.http1.last()
	w.sent("%s as client %s", seen.request(), serviceClient)
	w.sent("grant_type=client_credentials, scope=%s,\nresource=%s", scope, resource)
	w.got("%s", seen.answer())
	if err != nil {
		return "", err
	}
	w.got("access_token  %s", shorten(answer.AccessToken))
	kind, claims, err := decodeToken(answer.AccessToken)
	if err != nil {
		return "", err
	}
	w.got("  in it: typ %s, sub %s, scope %s,\naud %s", kind, claims.Subject, claims.Scope, strings.Join(claims.Audience, " "))
	return answer.AccessToken, nil
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
