package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/authtest"
)

const clientSecret = "secret"

// A tokenRequest is a request to the token endpoint (RFC 6749 §4).
type tokenRequest struct {
	client      string // authenticates with its secret, unless public
	public      bool
	form        url.Values
	key         *authtest.ProofKey    // for DPoP
	certificate *authtest.Certificate // for RFC 8705
}

// A grant is a response of the token endpoint (RFC 6749 §5.1).
type grant struct {
	AccessToken  string `json:"access_token"`
	Type         string `json:"token_type"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`

	nonce  string
	nonces int // how many the server asked for
}

// request sends a token request, and again if the server asks for a nonce (RFC 9449
// §8).
func (s site) request(ctx context.Context, endpoint string, r tokenRequest) (grant, error) {
	granted, err := s.requestOnce(ctx, endpoint, r, "")
	if err == nil && granted.Error == "use_dpop_nonce" {
		granted, err = s.requestOnce(ctx, endpoint, r, granted.nonce)
		granted.nonces++
	}
	if err == nil && granted.AccessToken == "" {
		err = fmt.Errorf("token endpoint: %s: %s", granted.Error, granted.Description)
	}
	return granted, err
}

func (s site) requestOnce(ctx context.Context, endpoint string, r tokenRequest, nonce string) (grant, error) {
	form := maps.Clone(r.form)
	if r.public {
		form.Set("client_id", r.client)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return grant{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !r.public {
		req.SetBasicAuth(r.client, clientSecret)
	}
	if r.key != nil {
		req.Header.Set("DPoP", r.key.Prove(authtest.Proof{Method: http.MethodPost, URL: endpoint, Nonce: nonce}))
	}
	var granted grant
	header, err := exchange(s.client(r.certificate), req, &granted)
	granted.nonce = header.Get("DPoP-Nonce")
	return granted, err
}

// exchange sends a request and decodes the JSON of the response, whatever its status,
// unless into is nil.
func exchange(client *http.Client, req *http.Request, into any) (http.Header, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return resp.Header, err
	case into == nil && resp.StatusCode >= http.StatusBadRequest:
		return resp.Header, fmt.Errorf("%s %s: %s: %.300s", req.Method, req.URL.Path, resp.Status, body)
	case into == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return resp.Header, fmt.Errorf("%s %s: %s: %w: %.300s", req.Method, req.URL.Path, resp.Status, err, body)
	}
	return resp.Header, nil
}

// clientCredentials is the form of a request for a token of the client itself. The
// resource is named by the parameter resource (RFC 8707), or by another one.
func clientCredentials(scope, parameter, resource string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}, parameter: {resource}}
}

// revoke revokes a token (RFC 7009).
func (s site) revoke(ctx context.Context, endpoint, client, token string) error {
	form := url.Values{"token": {token}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client, clientSecret)
	_, err = exchange(s.client(nil), req, nil)
	return err
}
