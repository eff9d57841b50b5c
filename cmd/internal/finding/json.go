package finding

import (
	"encoding/json"
	"io"
)

// A Document is the form of a [Finding] that programs read.
type Document struct {
	Rule    string `json:"rule"`
	Level   string `json:"level"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// Documents returns the documents of findings.
func Documents(findings []Finding) []Document {
	documents := []Document{}
	for _, f := range findings {
		documents = append(documents, Document{f.Rule.ID, f.level(), f.File, f.Line, f.Column, f.Message})
	}
	return documents
}

func (f Finding) level() string {
	if f.IsWarning {
		return "warning"
	}
	return "error"
}

// WriteJSON writes findings as JSON.
func WriteJSON(w io.Writer, findings []Finding) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(struct {
		Findings []Document `json:"findings"`
	}{Documents(findings)})
}
