package mcpbridge_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/httpbridge/mcpbridge"
	"github.com/drawbridge-rpc/drawbridge/policy"
)

// result is the result of a list, or of reading a resource.
type result struct {
	CacheScope string `json:"cacheScope"`
	NextCursor string `json:"nextCursor"`

	Tools             []item `json:"tools"`
	Resources         []item `json:"resources"`
	ResourceTemplates []item `json:"resourceTemplates"`
	Prompts           []item `json:"prompts"`
}

type item struct {
	Name string `json:"name"`
}

// ask sends a call and returns its result.
func (e *endpoint) ask(t *testing.T, raw, session, message string) result {
	t.Helper()
	got := e.post(t, e.url, raw, session, message)
	_, data, isEvent := strings.Cut(got.body, "data: {")
	if isEvent {
		data = "{" + data
	} else {
		data = got.body
	}
	var response struct {
		Result *result `json:"result"`
	}
	if err := json.NewDecoder(strings.NewReader(data)).Decode(&response); err != nil || response.Result == nil {
		t.Fatalf("%s: %+v: %v", message, got, err)
	}
	return *response.Result
}

// list follows the cursors of a list, and returns the names of the items and the
// number of pages.
func (e *endpoint) list(t *testing.T, raw, session, method string) (names []string, pages int) {
	t.Helper()
	for params := `{}`; ; {
		page := e.ask(t, raw, session, message(method, params))
		if page.CacheScope != "private" {
			t.Errorf("MCP-13: %s: cacheScope %q, want private", method, page.CacheScope)
		}
		for _, items := range [][]item{page.Tools, page.Resources, page.ResourceTemplates, page.Prompts} {
			for _, i := range items {
				names = append(names, i.Name)
			}
		}
		pages++
		if page.NextCursor == "" {
			return names, pages
		}
		params = fmt.Sprintf(`{"cursor":%q}`, page.NextCursor)
	}
}

// TestLists: a list shows what the caller may use or could step up to, or only
// what it may use now; a caller without a token sees what is public. Cursors lead
// to the end although pages are short, and nothing is logged (MCP-13).
func TestLists(t *testing.T) {
	t.Parallel()
	methods := []string{"tools/list", "resources/list", "resources/templates/list", "prompts/list"}
	pages := []int{2, 2, 2, 2} // of two items, of which some have no entry
	everything := [][]string{
		{"alter", "look", "open"},
		{"stock://items/secret", "stock://list", "stock://welcome"},
		{"stock://items/{sku}", "stock://items/{sku}/history{?to}", "stock://{+any}"},
		{"greet", "restock"},
	}
	public := [][]string{{"open"}, {"stock://welcome"}, {"stock://{+any}"}, {"greet"}}
	onlyCallable := func(cfg *mcpbridge.Config) { cfg.OnlyCallable = true }
	for _, row := range []struct {
		name, scope string // no scope: no token
		rule        policy.Rule
		configure   func(*mcpbridge.Config)
		want        [][]string
	}{
		{"MCP-13 a token without scopes", "none", policy.Rule{Authenticated: true}, nil, everything},
		{"MCP-13 all scopes", "read write tool", policy.Rule{Authenticated: true}, nil, everything},
		{"MCP-13 callable, without scopes", "none", policy.Rule{Authenticated: true}, onlyCallable, public},
		{"MCP-13 callable, with a scope", "read", policy.Rule{Authenticated: true}, onlyCallable, [][]string{
			{"look", "open"},
			{"stock://list", "stock://welcome"},
			{"stock://items/{sku}", "stock://{+any}"},
			{"greet"},
		}},
		{"MCP-13 callable, with all scopes", "read write tool", policy.Rule{Authenticated: true}, onlyCallable, everything},
		{"MCP-13 no token", "", policy.Rule{Public: true}, nil, public},
		{"MCP-13 callable, no token", "", policy.Rule{Public: true}, onlyCallable, public},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			eachMode(t, func(t *testing.T, m mode) {
				e := newLibrary(t, m, row.rule, row.configure)
				raw, opener := "", ""
				if row.scope != "" {
					raw, opener = e.mint(row.scope), e.mint("read write tool")
				}
				session := e.open(t, m, opener)
				for i, method := range methods {
					e.decided()
					names, turned := e.list(t, raw, session, method)
					if decided := slices.Compact(e.decided()); !slices.Equal(decided, []string{service}) {
						t.Errorf("%s: observed decisions of %q", method, decided)
					}
					if !slices.Equal(names, row.want[i]) || turned != pages[i] {
						t.Errorf("%s: %q on %d pages, want %q on %d", method, names, turned, row.want[i], pages[i])
					}
				}
				if log := e.logged(); log != "" {
					t.Errorf("logged %q", log)
				}
			})
		})
	}
}

// TestReadIsPrivate: what a token was needed for is not to be served to others
// from a cache (MCP-13).
func TestReadIsPrivate(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		guarded := newLibrary(t, m, policy.Rule{Authenticated: true}, nil)
		session := guarded.open(t, m, guarded.mint("read"))
		public := newLibrary(t, m, policy.Rule{Public: true}, nil)
		for _, row := range []struct {
			name         string
			e            *endpoint
			raw, session string
			uri, want    string
		}{
			{"MCP-13 a resource that asks for a scope", guarded, guarded.mint("read"), session, "stock://list", "private"},
			{"MCP-13 a public one of an endpoint that asks for a token", guarded, guarded.mint("read"), session, "stock://welcome", "private"},
			{"MCP-13 one that asks for a scope, of a public endpoint", public, public.mint("read"), "", "stock://list", "private"},
			{"a public one of a public endpoint", public, "", "", "stock://welcome", "public"},
		} {
			if got := row.e.ask(t, row.raw, row.session, about("resources/read", row.uri)); got.CacheScope != row.want {
				t.Errorf("%s: cacheScope %q, want %q", row.name, got.CacheScope, row.want)
			}
		}
	})
}

// TestEmptyPages: a page of which nothing is left is an empty array, and a bad
// cursor is refused as without a guard.
func TestEmptyPages(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, m mode) {
		e := newLibrary(t, m, policy.Rule{Public: true}, func(cfg *mcpbridge.Config) {
			cfg.Tools, cfg.Prompts = map[string]string{"look": asksRead}, nil
		})
		for method, want := range map[string]string{"tools/list": `"tools":[]`, "prompts/list": `"prompts":[]`} {
			if got := e.post(t, e.url, "", "", message(method, `{}`)); !strings.Contains(got.body, want) {
				t.Errorf("%s: %s, want %s in it", method, got.body, want)
			}
			if got := e.post(t, e.url, "", "", message(method, `{"cursor":"?"}`)); !strings.Contains(got.body, "-32602") {
				t.Errorf("%s: %s, want invalid params", method, got.body)
			}
		}
	})
}
