package explain

import (
	"encoding/json"
	"io"

	"github.com/drawbridge-rpc/drawbridge/cmd/internal/listing"
)

// A document is the form of a [Verdict] that programs read. Fields may be added to it.
type document struct {
	Procedure string         `json:"procedure"`
	Answer    Answer         `json:"answer"`
	Access    listing.Access `json:"access"`
	Requires  string         `json:"requires"`
	Place     string         `json:"place,omitempty"`
	Decided   string         `json:"decided,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Needs     string         `json:"needs,omitempty"`
	Response  *response      `json:"response,omitempty"`
	Parts     []partDocument `json:"parts,omitempty"`
}

// A response is what a server answers.
type response struct {
	Status    int      `json:"status"`
	Code      string   `json:"code"`
	Reason    string   `json:"reason"`
	Scopes    []string `json:"scopes,omitempty"`
	ACRValues []string `json:"acr_values,omitempty"`
	MaxAge    *int     `json:"max_age,omitempty"` // seconds
}

type partDocument struct {
	Part     string `json:"part"`
	Requires string `json:"requires"`
	State    State  `json:"state"`
	Detail   string `json:"detail,omitempty"`
}

func (v Verdict) document() document {
	d := document{
		Procedure: v.Row.Procedure(), Answer: v.Answer, Access: v.Row.Access, Requires: v.Row.Requires(), Place: v.Row.Place,
		Decided: v.Decided, Detail: v.Detail, Needs: v.Needs(),
	}
	if v.Answer == No {
		d.Response = &response{
			Status: v.Reason.HTTPStatus(), Code: codeOf(v), Reason: v.Reason.String(),
			Scopes: v.Challenge.Scopes, ACRValues: v.Challenge.ACRValues,
		}
		if age := v.Challenge.MaxAge; age != nil {
			d.Response.MaxAge = new(int(age.Seconds()))
		}
	}
	for _, part := range v.Parts {
		d.Parts = append(d.Parts, partDocument{part.Name, part.Requires, part.State, part.Detail})
	}
	return d
}

// WriteJSON writes a verdict as JSON.
func (v Verdict) WriteJSON(w io.Writer) error { return writeJSON(w, v.document()) }

// WriteAllJSON writes verdicts as JSON.
func WriteAllJSON(w io.Writer, verdicts []Verdict) error {
	documents := []document{}
	for _, v := range verdicts {
		documents = append(documents, v.document())
	}
	return writeJSON(w, struct {
		Verdicts []document `json:"verdicts"`
	}{documents})
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
