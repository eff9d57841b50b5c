package resource_test

import (
	"strings"
	"testing"
)

// TestIsAmbiguous: a path is ambiguous if routers read it in different ways, and
// the readings belong to different resources (R8707-2, CVE-2021-29492,
// oathkeeper GHSA-p224-6x5r-fjpm).
func TestIsAmbiguous(t *testing.T) {
	t.Parallel()
	several := newDirectory(t, identified(base, base+"/mcp", base+"/mcp/admin", base+"/MCP"))
	lone := newDirectory(t, identified(base))
	hosts := newDirectory(t, identified("https://a.test", "https://b.test/mcp"))
	for path, want := range map[string]bool{"/x": false, "/MCP": false, "//mcp": false} {
		if got := hosts.IsAmbiguous(t.Context(), at(t, path, "a.test")); got != want {
			t.Errorf("R8707-2: on a host without another resource: %s: got %t", path, got)
		}
	}
	if !hosts.IsAmbiguous(t.Context(), at(t, "/MCP", "b.test")) {
		t.Error("R8707-2: a path that a router would find a resource for is not ambiguous")
	}
	for _, tt := range []struct {
		name, path    string
		several, lone bool
	}{
		{"plain", "/mcp/x", false, false},
		{"a dot in a segment", "/mcp/a.b", false, false},
		{"R8707-2 two slashes", "//mcp", true, false},
		{"R8707-2 two slashes before the longest", "/mcp//admin", true, false},
		{"R8707-2 two slashes within a resource", "/mcp//x", false, false},
		{"R8707-2 two slashes below none", "//x", false, false},
		{"R8707-2 an escaped slash behind a resource", "/mcp%2Fx", true, false},
		{"R8707-2 an escaped slash in lower case", "/mcp%2fx", true, false},
		{"R8707-2 an escaped slash within a resource", "/mcp/x%2Fy", false, false},
		{"R8707-2 an escaped slash below none", "/x%2Fy", false, false},
		{"R8707-2 an escaped backslash", "/mcp%5Cx", true, false},
		{"R8707-2 an escaped backslash below none", "/x%5Cy", false, false},
		{"R8707-2 a backslash", `/mcp\x`, true, false},
		{"CVE-2021-29492 an escaped letter", "/%6dcp/x", true, false},
		{"CVE-2021-29492 escaped letters below", "/%6D%63%70/%61dmin", true, false},
		{"CVE-2021-29492 an escaped letter within a resource", "/MCP/%61bmin", false, false},
		{"CVE-2021-29492 an escape that some decode twice", "/%256dcp", true, false},
		{"CVE-2021-29492 an escape that some decode twice, below none", "/x/%2541", false, false},
		{"CVE-2021-29492 an escape that is none", "/x/%25zz", false, false},
		{"R8707-2 a parameter of a resource's segment", "/mcp;x=1/y", true, false},
		{"R8707-2 an escaped parameter", "/mcp%3Bx/y", true, false},
		{"R8707-2 a parameter within a resource", "/mcp/y;x=1", false, false},
		{"R8707-2 another case of letters", "/Mcp/x", true, false},
		{"R8707-2 another case of letters and a parameter", "/MCP/aDMIN;x", true, false},
		{"R8707-2 another case of letters that covers no more", "/MCP/x", false, false},
		{"R8707-2 another case of letters below none", "/X/Mcp", false, false},
		{"GHSA-p224-6x5r-fjpm a way up with a parameter", "/mcp/..;/x", true, true},
		{"GHSA-p224-6x5r-fjpm a way up with a parameter that is escaped", "/mcp/%2e.%3Bjsessionid=1/x", true, true},
		{"GHSA-p224-6x5r-fjpm a way nowhere with a parameter", "/mcp/.;x/y", true, true},
		{"GHSA-p224-6x5r-fjpm a way up that some decode twice", "/mcp/%252e%252e/x", true, true},
		{"GHSA-p224-6x5r-fjpm a way up between slashes that some decode twice", "/mcp%252f..%252fx", true, true},
		{"a path longer than servers take, which has one reading", "/mcp/" + strings.Repeat("x", 9000), false, false},
		{"a path longer than servers take", "/mcp/;" + strings.Repeat("x", 9000), true, true},
		{"GHSA-p224-6x5r-fjpm a way up", "/mcp/../admin", true, true},
		{"GHSA-p224-6x5r-fjpm a way up at the end", "/mcp/..", true, true},
		{"GHSA-p224-6x5r-fjpm a way nowhere", "/mcp/./x", true, true},
		{"GHSA-p224-6x5r-fjpm the root itself", "/.", true, true},
		{"GHSA-p224-6x5r-fjpm a way up, escaped", "/mcp/%2e%2E/admin", true, true},
		{"GHSA-p224-6x5r-fjpm a way up behind an escaped backslash", "/x%5C..", true, true},
		{"GHSA-p224-6x5r-fjpm a way up between escaped slashes", "/mcp%2F..%2Fadmin", true, true},
		{"GHSA-p224-6x5r-fjpm dots that are no segment", "/.hidden/.../..b/a.b", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := at(t, tt.path, "")
			if got := several.IsAmbiguous(t.Context(), req); got != tt.several {
				t.Errorf("R8707-2: several resources: got %t", got)
			}
			if got := lone.IsAmbiguous(t.Context(), req); got != tt.lone {
				t.Errorf("R8707-2: one resource: got %t", got)
			}
		})
	}
}
