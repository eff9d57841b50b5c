package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// redirectURL is the address on which a native client would listen, at a port of
// its choice. Here browse returns the code directly, so there is no listener.
const redirectURL = "http://127.0.0.1:53682/callback"

// mcpClient is the client of the official go-sdk, with its OAuth handler.
type mcpClient struct {
	wire    *tap
	session *mcp.ClientSession
}

func (c *mcpClient) close() error {
	if c.session == nil {
		return nil
	}
	err := c.session.Close()
	c.wire.close()
	return err
}

// connectMCP connects the client, which knows the URL of the endpoint and its
// client id.
func (w *walker) connectMCP(ctx context.Context) error {
	w.mcp.wire = newTap(false)
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		PreregisteredClient:      &oauthex.ClientCredentials{ClientID: nativeClient},
		RedirectURL:              redirectURL,
		AuthorizationCodeFetcher: w.browse,
		Client:                   &http.Client{Transport: w.mcp.wire},
	})
	if err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "quickstart", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:             w.target.MCP,
		HTTPClient:           &http.Client{Transport: w.mcp.wire},
		OAuthHandler:         handler,
		DisableStandaloneSSE: true,
	}, nil)
	seen := w.showMCP()
	if err != nil {
		return err
	}
	w.mcp.session = session
	w.got("revision %s of MCP", session.InitializeResult().ProtocolVersion)
	w.space()
	w.say(`All of this happened inside the client of the official go-sdk: the refusal, the metadata
		document, the authorization server, the browser with PKCE, the token, and the session. The
		demonstration consents for its only user; a real authorization server would have asked.`)
	if err := inOrder(seen,
		"POST "+mcpPath+" 401",
		"GET /.well-known/oauth-protected-resource"+mcpPath+" 200",
		"GET /.well-known/oauth-authorization-server 200",
		"GET /authorize 302",
		"POST /token 200",
		"POST "+mcpPath+" 200",
	); err != nil {
		return err
	}
	challenge, err := parseChallenge(seen[0].header.Get("WWW-Authenticate"))
	return errors.Join(err, same("the scope", strings.Join(challenge.scopes, " "), useMCP))
}

// browse acts as the browser of the user: it follows the redirects of the
// authorization server until they lead to the client.
func (w *walker) browse(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	browser := &http.Client{
		Transport: w.mcp.wire,
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(req.URL.String(), redirectURL) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, args.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("the authorization server responded with %s and no redirect", resp.Status)
	}
	params := location.Query()
	if code := params.Get("error"); code != "" {
		return nil, fmt.Errorf("the authorization server refused: %s: %s", code, params.Get("error_description"))
	}
	return &auth.AuthorizationResult{Code: params.Get("code"), State: params.Get("state"), Iss: params.Get("iss")}, nil
}

// showMCP prints and returns the exchanges of the MCP client.
func (w *walker) showMCP() []*exchange {
	seen := w.mcp.wire.take()
	for _, e := range seen {
		note := ""
		switch {
		case e.authorized:
			note = " (with a token)"
		case e.url.Query().Has("scope"):
			note = "?…&scope=" + e.url.Query().Get("scope")
		}
		w.sent("%s%s", e.request(), note)
		w.got("%s", e.answer())
		if challenge := e.header.Get("WWW-Authenticate"); challenge != "" {
			w.got("WWW-Authenticate: %s", challenge)
		}
	}
	return seen
}

// inOrder returns an error unless the exchanges begin with the first of wants and
// contain the others, in that order.
func inOrder(seen []*exchange, wants ...string) error {
	var lines []string
	for _, e := range seen {
		lines = append(lines, fmt.Sprintf("%s %d", e.request(), e.status))
	}
	rest := lines
	for i, want := range wants {
		at := slices.Index(rest, want)
		if at < 0 || i == 0 && at > 0 {
			return fmt.Errorf("expected %q among the requests, in the order %q, got %q", want, wants, lines)
		}
		rest = rest[at+1:]
	}
	return nil
}
