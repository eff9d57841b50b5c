package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/drawbridge-rpc/drawbridge/policy"
	"golang.org/x/net/html"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/page"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// hostile is text that breaks out of whatever is not escaped.
const hostile = `"'><img src=x onerror=alert(1)></script><!--`

func sample() *listing.Listing {
	return &listing.Listing{
		Sources: []string{"proto", hostile},
		Rows: []listing.Row{
			{Service: "a.v1.A", Method: "Get", Kind: source.Unary, Access: listing.Restricted, Rule: policy.Rule{Scopes: []string{"a:read"}}, Place: "a.proto:12"},
			{Service: "a.v1.A", Method: "Watch", Kind: source.ServerStream, Access: listing.Public, Rule: policy.Rule{Public: true, Reason: hostile}, IsInherited: true},
			{Service: "a.v1.A", Method: "Delete", Kind: source.Unary, Access: listing.Denied, Rule: policy.Rule{Denied: true}},
			{Service: "b.v1.B", Method: "*", Access: listing.AnyToken, Rule: policy.Rule{Authenticated: true}, Resources: []string{"https://b.example/", hostile}},
			{Service: "c.v1.C", Method: "Get", Kind: source.BidiStream, Access: listing.NoRule},
		},
		Implies:  map[string][]string{"a:write": {"a:read", hostile}},
		Warnings: []finding.Finding{{Rule: finding.NoRule, IsWarning: true, File: "c.proto", Line: 3, Message: hostile}},
	}
}

func write(t *testing.T, l *listing.Listing) (text string, root *html.Node) {
	t.Helper()
	var out bytes.Buffer
	if err := page.Write(&out, l); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), root
}

// TestStructure checks what assistive technology and a reader without a script rely on.
func TestStructure(t *testing.T) {
	t.Parallel()
	_, root := write(t, sample())
	if language := attribute(all(root, "html")[0], "lang"); language != "en" {
		t.Errorf("the language is %q", language)
	}
	for _, name := range []string{"h1", "main", "header", "table", "thead", "search", "title"} {
		if found := all(root, name); len(found) != 1 {
			t.Errorf("there are %d elements %s", len(found), name)
		}
	}
	identifiers := make(map[string]bool)
	for _, element := range all(root, "") {
		if id := attribute(element, "id"); id != "" {
			if identifiers[id] {
				t.Errorf("the id %s is there twice", id)
			}
			identifiers[id] = true
		}
	}
	labels := make(map[string]bool)
	for _, label := range all(root, "label") {
		labels[attribute(label, "for")] = true
	}
	for _, field := range slices.Concat(all(root, "input"), all(root, "select")) {
		if id := attribute(field, "id"); !labels[id] {
			t.Errorf("the field %q has no label", id)
		}
	}
	for _, element := range all(root, "") {
		if name := attribute(element, "aria-labelledby"); name != "" && !identifiers[name] {
			t.Errorf("the label %s is missing", name)
		}
	}
	for _, head := range all(root, "th") {
		if attribute(head, "scope") == "" {
			t.Errorf("the head %q has no scope", content(head))
		}
	}
	if !has(all(root, "search")[0], "hidden") {
		t.Error("the controls are shown to those who have no script")
	}
	for _, row := range all(root, "tr") {
		if has(row, "hidden") {
			t.Errorf("the row %q is hidden from those who have no script", content(row))
		}
	}
}

// TestContent checks that the page says everything that the listing has.
func TestContent(t *testing.T) {
	t.Parallel()
	_, root := write(t, sample())
	var rows []string
	for _, row := range all(root, "tr") {
		if access := attribute(row, "data-access"); access != "" {
			rows = append(rows, access+" "+attribute(row, "data-kind")+" "+content(all(row, "th")[0]))
		}
	}
	want := []string{"restricted unary Get", "public server Watch", "denied unary Delete", "any_token none *", "no_rule bidi Get"}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
	groups := all(root, "tbody")
	if len(groups) != 3 || attribute(groups[1], "data-service") != "b.v1.B" {
		t.Errorf("there are %d groups", len(groups))
	}
	text := content(root)
	for _, part := range []string{
		"a:read", "from the service", hostile, "denied: no rule", "a.proto:12", "https://b.example/", "includes", "c.proto:3",
		"2 unary, 1 server stream, 1 bidirectional stream, 1 without a descriptor.",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	var counts []string
	for _, list := range all(root, "dl") {
		for _, entry := range all(list, "div") {
			counts = append(counts, content(all(entry, "dd")[0])+" "+content(all(entry, "dt")[0]))
		}
	}
	if want := []string{"5 procedures", "1 public", "1 any token", "1 restricted", "1 denied", "1 no rule"}; !slices.Equal(counts, want) {
		t.Errorf("the counts are %q", counts)
	}
}

// TestSelfContained makes sure that the page loads nothing, and runs its own script alone.
func TestSelfContained(t *testing.T) {
	t.Parallel()
	text, root := write(t, sample())
	for _, element := range all(root, "") {
		for _, name := range []string{"src", "href", "action", "srcset", "data"} {
			value := attribute(element, name)
			if value != "" && !strings.HasPrefix(value, "#") && value != "data:," {
				t.Errorf("<%s> has %s=%q", element.Data, name, value)
			}
		}
		for _, a := range element.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("<%s> has %s", element.Data, a.Key)
			}
		}
	}
	if len(all(root, "img")) > 0 || len(all(root, "script")) != 1 || strings.Contains(text, "url(") || strings.Contains(text, "@import") {
		t.Error("the page has more than its own")
	}
	security := ""
	for _, meta := range all(root, "meta") {
		if attribute(meta, "http-equiv") == "Content-Security-Policy" {
			security = attribute(meta, "content")
		}
	}
	if !strings.HasPrefix(security, "default-src 'none'") {
		t.Errorf("the policy is %q", security)
	}
	for _, name := range []string{"script", "style"} {
		sum := sha256.Sum256([]byte(content(all(root, name)[0])))
		if allowed := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(security, allowed) {
			t.Errorf("the policy does not allow the <%s> of the page", name)
		}
	}
}

// TestEmpty writes the page of a policy without any procedure.
func TestEmpty(t *testing.T) {
	t.Parallel()
	text, root := write(t, new(listing.Listing))
	if len(all(root, "tr")) != 2 || !strings.Contains(text, "There is no procedure.") {
		t.Errorf("the page is %s", text)
	}
}

// all returns the elements with a name below a node, or every one.
func all(node *html.Node, name string) []*html.Node {
	var found []*html.Node
	for child := range node.Descendants() {
		if child.Type == html.ElementNode && (name == "" || child.Data == name) {
			found = append(found, child)
		}
	}
	return found
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	return slices.ContainsFunc(node.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func content(node *html.Node) string {
	var text strings.Builder
	for child := range node.Descendants() {
		if child.Type == html.TextNode {
			text.WriteString(child.Data)
		}
	}
	return text.String()
}
