// Package sarif writes findings in the Static Analysis Results Interchange Format, version
// 2.1.0, as code hosts take it.
package sarif

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/finding"
)

// The objects of the format (SARIF §3), as far as they are used.
type (
	sarifLog struct {
		Schema  string `json:"$schema"`
		Version string `json:"version"`
		Runs    []run  `json:"runs"`
	}
	run struct {
		Tool    tool     `json:"tool"`
		Results []result `json:"results"`
		Columns string   `json:"columnKind"`
	}
	tool struct {
		Driver driver `json:"driver"`
	}
	driver struct {
		Name           string `json:"name"`
		InformationURI string `json:"informationUri"`
		Version        string `json:"version,omitempty"`
		Rules          []rule `json:"rules"`
	}
	rule struct {
		ID            string        `json:"id"`
		Short         message       `json:"shortDescription"`
		Full          message       `json:"fullDescription"`
		Help          message       `json:"help"`
		Configuration configuration `json:"defaultConfiguration"`
		Properties    properties    `json:"properties"`
	}
	configuration struct {
		Level string `json:"level"`
	}
	properties struct {
		Tags      []string `json:"tags"`
		Precision string   `json:"precision"`
	}
	message struct {
		Text string `json:"text"`
	}
	result struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      message           `json:"message"`
		Locations    []location        `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	location struct {
		Physical physicalLocation `json:"physicalLocation"`
	}
	physicalLocation struct {
		Artifact artifactLocation `json:"artifactLocation"`
		Region   region           `json:"region"`
	}
	artifactLocation struct {
		URI    string `json:"uri"`
		BaseID string `json:"uriBaseId,omitempty"`
	}
	region struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// Write writes findings. Files below directory are named relative to it, which has to be
// the root of the repository for a code host to find them.
func Write(w io.Writer, findings []finding.Finding, directory, version string) error {
	d := driver{Name: "drawbridge", InformationURI: "https://github.com/drawbridge-rpc/drawbridge", Version: version}
	for _, r := range finding.Rules() {
		level := "error"
		if r == finding.NoRule || r == finding.Weaker || r == finding.Unchecked {
			level = "warning"
		}
		d.Rules = append(d.Rules, rule{
			ID: r.ID, Short: message{r.Title}, Full: message{r.Title + ". " + r.Help}, Help: message{r.Help},
			Configuration: configuration{level}, Properties: properties{Tags: []string{"security"}, Precision: "very-high"},
		})
	}
	results := []result{}
	for _, f := range findings {
		results = append(results, resultOf(f, directory))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []run{{Tool: tool{d}, Results: results, Columns: "unicodeCodePoints"}},
	})
}

func resultOf(f finding.Finding, directory string) result {
	level := "error"
	if f.IsWarning {
		level = "warning"
	}
	fingerprint := sha256.Sum256([]byte(f.Rule.ID + "\n" + f.File + "\n" + f.Subject + "\n" + f.Message))
	return result{
		RuleID: f.Rule.ID, RuleIndex: slices.Index(finding.Rules(), f.Rule), Level: level, Message: message{f.Message},
		Locations: []location{{physicalLocation{
			Artifact: locate(f.File, directory),
			// A code host shows no finding without a line.
			Region: region{StartLine: max(f.Line, 1), StartColumn: f.Column},
		}}},
		Fingerprints: map[string]string{"drawbridge/v1": hex.EncodeToString(fingerprint[:16])},
	}
}

// locate returns the location of a file (SARIF §3.4): relative to directory if it is below
// it, with slashes and percent-encoded.
func locate(file, directory string) artifactLocation {
	absolute := file
	if !filepath.IsAbs(file) {
		absolute = filepath.Join(directory, file)
	}
	relative, err := filepath.Rel(directory, absolute)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return artifactLocation{URI: (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String()}
	}
	return artifactLocation{URI: (&url.URL{Path: filepath.ToSlash(relative)}).String(), BaseID: "%SRCROOT%"}
}
