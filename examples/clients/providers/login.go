package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// maxHops bounds the redirects of a login.
const maxHops = 15

// A browser is that of a user: it has the cookies of a session.
type browser struct {
	site   site
	client *http.Client
	// page does what the user does at a page of the provider that is no redirect, and
	// returns where that leads. It returns "" for a URL that is no such page.
	page func(ctx context.Context, b *browser, address *url.URL) (next string, err error)
}

func (s site) newBrowser(page func(context.Context, *browser, *url.URL) (string, error)) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := s.client(nil)
	client.Jar = jar
	return &browser{s, client, page}, nil
}

// logIn gets a token for a user with the authorization code grant and PKCE (RFC 6749
// §4.1, RFC 7636).
func (b *browser) logIn(ctx context.Context, server authorizationServer, client, scope string, further url.Values) (grant, error) {
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	hash := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {b.site.Redirect}, "scope": {scope}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(hash[:])}, "code_challenge_method": {"S256"},
	}
	exchanged := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {b.site.Redirect}, "code_verifier": {verifier}}
	for name, values := range further {
		query[name], exchanged[name] = values, values
	}
	returned, err := b.follow(ctx, server.Authorization+"?"+query.Encode())
	if err != nil {
		return grant{}, err
	}
	if returned.Get("state") != state || returned.Get("code") == "" {
		return grant{}, fmt.Errorf("the redirect has %s: %s", returned.Get("error"), returned.Get("error_description"))
	}
	exchanged.Set("code", returned.Get("code"))
	return b.site.request(ctx, server.Token, tokenRequest{client: client, public: true, form: exchanged})
}

// follow goes from page to page until the redirect URI of the client, and returns its
// query.
func (b *browser) follow(ctx context.Context, address string) (url.Values, error) {
	for range maxHops {
		if strings.HasPrefix(address, b.site.Redirect) {
			u, err := url.Parse(address)
			if err != nil {
				return nil, err
			}
			return u.Query(), nil
		}
		next, err := b.visit(ctx, address)
		if err != nil {
			return nil, err
		}
		address = next
	}
	return nil, fmt.Errorf("no end after %d redirects, at %s", maxHops, address)
}

// visit returns where a page leads.
func (b *browser) visit(ctx context.Context, address string) (next string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if next, err := b.page(ctx, b, u); err != nil || next != "" {
		return next, err
	}
	_, next, err = b.send(ctx, http.MethodGet, address, nil)
	if err == nil && next == "" {
		err = fmt.Errorf("%s is no redirect", u.Path)
	}
	return next, err
}

// send returns the body of a response, and where it redirects to.
func (b *browser) send(ctx context.Context, method, address string, form url.Values) (body, next string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", "", err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return "", "", fmt.Errorf("%s %s: %s: %.300s", method, req.URL.Path, resp.Status, data)
	}
	if resp.Header.Get("Location") != "" {
		location, err := resp.Location()
		if err != nil {
			return "", "", err
		}
		next = location.String()
	}
	return string(data), next, nil
}
