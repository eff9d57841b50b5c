package mcpbridge

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// lookUp returns what go-sdk serves each of the URIs from: the resource of this
// URI, or else the first template that it matches. A URI that go-sdk does not
// serve is left out.
//
// go-sdk exports no way to ask. Its lists are what it looks at.
func lookUp(ctx context.Context, next mcp.MethodHandler, req mcp.Request, uris []string) (map[string]string, error) {
	session, _ := req.GetSession().(*mcp.ServerSession)
	found := make(map[string]string, len(uris))
	open := make(map[string]bool, len(uris))
	for _, uri := range uris {
		open[uri] = true
	}
	finds := func(uri, key string) {
		found[uri] = key
		delete(open, uri)
	}
	err := eachPage(func(cursor string) (string, error) {
		page, err := ask[*mcp.ListResourcesResult](ctx, next, "resources/list", &mcp.ListResourcesRequest{
			Session: session, Extra: req.GetExtra(), Params: &mcp.ListResourcesParams{Cursor: cursor},
		})
		if err != nil {
			return "", err
		}
		for _, r := range page.Resources {
			if open[r.URI] {
				finds(r.URI, r.URI)
			}
		}
		return page.NextCursor, nil
	})
	if err != nil {
		return nil, err
	}
	return found, eachPage(func(cursor string) (string, error) {
		page, err := ask[*mcp.ListResourceTemplatesResult](ctx, next, "resources/templates/list", &mcp.ListResourceTemplatesRequest{
			Session: session, Extra: req.GetExtra(), Params: &mcp.ListResourceTemplatesParams{Cursor: cursor},
		})
		if err != nil {
			return "", err
		}
		for _, t := range page.ResourceTemplates {
			template, err := newResource(t.URITemplate, "")
			if err != nil {
				continue // It matches nothing in go-sdk either.
			}
			for uri := range open {
				if template.matches(uri) {
					finds(uri, t.URITemplate)
				}
			}
		}
		return page.NextCursor, nil
	})
}

// eachPage follows the cursors of a list to its end.
func eachPage(visit func(cursor string) (following string, err error)) error {
	for cursor := ""; ; {
		following, err := visit(cursor)
		if err != nil || following == "" {
			return err
		}
		cursor = following
	}
}

var errOtherResult = errors.New("a list of the MCP server has a result of another type")

// ask calls a list method of the server.
func ask[R mcp.Result](ctx context.Context, next mcp.MethodHandler, method string, req mcp.Request) (R, error) {
	result, err := next(ctx, method, req)
	page, ok := result.(R)
	if err == nil && !ok {
		err = errOtherResult
	}
	return page, err
}
