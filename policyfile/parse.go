package policyfile

import (
	"fmt"
	"unicode/utf8"

	"buf.build/go/protoyaml"
	"github.com/drawbridge-rpc/drawbridge/fault"
	"github.com/drawbridge-rpc/drawbridge/policy"
	drawbridgev1 "github.com/drawbridge-rpc/drawbridge/proto/drawbridge/v1"
)

// Parse returns the policy that is written in data, as YAML or JSON. The name stands
// before the numbers of lines in faults and in [policy.Rule].Source; it is usually that
// of the file.
//
// The error joins a [*fault.Fault] for each fault in the file, at most 100 of them, in
// the order of the file. Whether services and methods exist, and whether scopes are well
// formed, is checked by [policy.Compile].
func Parse(name string, data []byte) (policy.Policy, error) {
	return parseAll([]file{{name, data}})
}

// parseAll returns the policy that is written in several files.
func parseAll(files []file) (policy.Policy, error) {
	var faults fault.List
	documents := make([]*document, 0, len(files))
	for _, file := range files {
		parsed, err := parse(file)
		faults.Join(err)
		documents = append(documents, parsed)
	}
	if err := faults.Err(); err != nil {
		return policy.Policy{}, err
	}
	merged, err := merge(documents)
	if err != nil {
		return policy.Policy{}, err
	}
	p := policy.FromProto(merged.message, merged.sources.of)
	for name, service := range p.Services {
		service.Source = merged.sources.services[name] // not the line of its rule
		p.Services[name] = service
	}
	p.Sources = merged.sources.ofEntries()
	return p, nil
}

// A document is a file that was parsed.
type document struct {
	message *drawbridgev1.Policy
	sources sources
}

// parse parses a file. A panic of a parser must not end a server that reads its policy
// again, so it is a fault of the file.
func parse(f file) (parsed *document, err error) {
	defer func() {
		if value := recover(); value != nil {
			parsed, err = nil, faultIn(f.name, "makes the parser panic: "+clip(fmt.Sprint(value)), "")
		}
	}()
	text, root, err := read(f)
	if err != nil {
		return nil, err
	}
	c := checker{name: f.name}
	c.policy(root)
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	message := new(drawbridgev1.Policy)
	if err := unmarshal(text, message); err != nil {
		// The checker accepts less than protoyaml does.
		return nil, faultIn(f.name, clip(err.Error()), "")
	}
	return &document{message, sourcesIn(f.name, root)}, nil
}

// unmarshal is replaced by tests.
var unmarshal = protoyaml.Unmarshal

// faultIn is a fault of a file as a whole, or of a line of it.
func faultIn(source, reason, remedy string) error {
	return &fault.Fault{Source: source, Place: place(""), Reason: reason, Remedy: remedy}
}

// place is where a value stands, in the words of the file.
func place(path string) string {
	if path == "" {
		return "policyfile"
	}
	return "policyfile: " + path
}

// maxQuoted bounds what a fault quotes of a file, which may be another file than was
// meant.
const maxQuoted = 80

func clip(text string) string { return clipTo(text, maxQuoted) }

// clipTo bounds a text, in bytes, and does not cut a character in two.
func clipTo(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	for longest > 0 && !utf8.RuneStart(text[longest]) {
		longest--
	}
	return text[:longest] + "…"
}
