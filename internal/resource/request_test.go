package resource_test

import (
	"testing"
)

// TestIsAmbiguous: a path is ambiguous if routers read it in different ways, and
// the readings belong to different resources (R8707-2, CVE-2021-29492,
// oathkeeper GHSA-p224-6x5r-fjpm).
func TestIsAmbiguous(t *testing.T) {
	t.Parallel()
	several := newDirectory(t, identified(base, base+"/mcp", base+"/mcp/admin", base+"/MCP"))
	lone := newDirectory(t, identified(base))
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
		{"CVE-2021-29492 an escaped letter within a resource", "/MCP/%61dmin", false, false},
		{"CVE-2021-29492 an escape that is decoded once", "/%256dcp", false, false},
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
