// Package page writes the table of a policy as one HTML page that needs nothing else: no
// network, and no script to be read.
package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"maps"
	"slices"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

var (
	//go:embed page.html.tmpl
	text string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

var page = template.Must(template.New("page").Parse(text))

// content is what the template shows.
type content struct {
	Sources      []string
	Style        template.CSS
	Script       template.JS
	Security     string
	Total        int
	Accesses     []count
	Kinds        []count
	Services     []service
	Resources    []string
	Implications []implication
	Warnings     []finding.Finding
	HasPlaces    bool
}

type count struct {
	Value, Label string
	Count        int
}

type service struct {
	Name string
	Rows []listing.Row
}

type implication struct {
	Scope   string
	Implies []string
}

// Write writes a listing.
func Write(w io.Writer, l *listing.Listing) error {
	c := content{
		Sources: l.Sources, Total: len(l.Rows), Warnings: l.Warnings,
		Style: template.CSS(style), Script: template.JS(script), //nolint:gosec // They are files of this package.
		Security: "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src " + hash(style) + "; script-src " + hash(script),
	}
	for _, access := range listing.Accesses() {
		number := l.Count(func(row listing.Row) bool { return row.Access == access })
		c.Accesses = append(c.Accesses, count{string(access), access.Label(), number})
	}
	for _, kind := range listing.Kinds() {
		if number := l.Count(func(row listing.Row) bool { return row.Kind == kind }); number > 0 {
			c.Kinds = append(c.Kinds, count{string(kind), kindLabels[kind], number})
		}
	}
	if number := l.Count(func(row listing.Row) bool { return row.Kind == "" }); number > 0 {
		c.Kinds = append(c.Kinds, count{"none", "without a descriptor", number})
	}
	for _, row := range l.Rows {
		if last := len(c.Services) - 1; last < 0 || c.Services[last].Name != row.Service {
			c.Services = append(c.Services, service{Name: row.Service})
		}
		last := &c.Services[len(c.Services)-1]
		last.Rows = append(last.Rows, row)
		c.Resources = append(c.Resources, row.Resources...)
	}
	slices.Sort(c.Resources)
	c.Resources = slices.Compact(c.Resources)
	for _, scope := range slices.Sorted(maps.Keys(l.Implies)) {
		c.Implications = append(c.Implications, implication{scope, l.Implies[scope]})
	}
	return page.Execute(w, c)
}

var kindLabels = map[source.Kind]string{
	source.Unary: "unary", source.ServerStream: "server stream", source.ClientStream: "client stream", source.BidiStream: "bidirectional stream",
}

// hash is the source expression that allows an inline text (CSP Level 3 §2.3.1).
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
