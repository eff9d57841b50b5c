package listing

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
	"github.com/drawbridge-rpc/drawbridge/cmd/internal/source"
)

// A document is the form of a [Listing] that programs read. Fields may be added to it.
type document struct {
	Sources    []string            `json:"sources"`
	Counts     counts              `json:"counts"`
	Procedures []procedure         `json:"procedures"`
	Implies    map[string][]string `json:"implies,omitempty"`
	Warnings   []finding.Document  `json:"warnings,omitempty"`
}

type counts struct {
	Procedures int                 `json:"procedures"`
	Access     map[Access]int      `json:"access"`
	Kinds      map[source.Kind]int `json:"kinds"`
}

type procedure struct {
	Procedure string      `json:"procedure"`
	Service   string      `json:"service"`
	Method    string      `json:"method"`
	Kind      source.Kind `json:"kind,omitempty"`
	Access    Access      `json:"access"`
	Requires  string      `json:"requires"`
	Inherited bool        `json:"inherited,omitempty"`
	Rule      *rule       `json:"rule,omitempty"`
	Resources []string    `json:"resources,omitempty"`
	Place     string      `json:"place,omitempty"`
}

func (l *Listing) document() document {
	d := document{
		Sources: l.Sources, Procedures: []procedure{}, Implies: l.Implies, Warnings: finding.Documents(l.Warnings),
		Counts: counts{len(l.Rows), make(map[Access]int), make(map[source.Kind]int)},
	}
	for _, row := range l.Rows {
		p := procedure{
			Procedure: row.Procedure(), Service: row.Service, Method: row.Method, Kind: row.Kind, Access: row.Access,
			Requires: row.Requires(), Inherited: row.IsInherited, Resources: row.Resources, Place: row.Place,
		}
		if row.Access != NoRule {
			p.Rule = new(ruleOf(row.Rule))
		}
		d.Procedures = append(d.Procedures, p)
		d.Counts.Access[row.Access]++
		if row.Kind != "" {
			d.Counts.Kinds[row.Kind]++
		}
	}
	return d
}

// WriteJSON writes the listing as JSON.
func (l *Listing) WriteJSON(w io.Writer) error {
	encoded, err := encode(l.document())
	if err != nil {
		return err
	}
	_, err = w.Write(encoded)
	return err
}

// WriteYAML writes the listing as YAML, with the names of [Listing.WriteJSON].
func (l *Listing) WriteYAML(w io.Writer) error {
	encoded, err := encode(l.document())
	if err != nil {
		return err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(encoded, &root); err != nil {
		return err
	}
	unfold(&root)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return err
	}
	return encoder.Close()
}

// unfold gives nodes that were written in JSON the style of YAML.
func unfold(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		unfold(child)
	}
}

func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return text.Bytes(), err
}

// seconds is a duration as the JSON form of google.protobuf.Duration has it.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
