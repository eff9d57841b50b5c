package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds a file, in bytes. A policy of 10,000 methods takes about half a
// megabyte, and a ConfigMap holds one at most.
const maxSize = 4 << 20

// read returns the text of a file, as the parser takes it, and the root of its only
// document.
func read(f file) (text []byte, root *yaml.Node, err error) {
	if len(f.data) > maxSize {
		return nil, nil, faultIn(f.name, fmt.Sprintf("is larger than %d MiB", maxSize>>20), "split it, or correct the path")
	}
	text = bytes.TrimPrefix(f.data, []byte("\ufeff"))
	if err := checkText(f.name, text); err != nil {
		return nil, nil, err
	}
	text = fromJSON(text)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil, faultIn(f.name, "is empty", emptyRemedy)
	case err != nil:
		return nil, nil, syntaxFault(f.name, text, err)
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, nil, syntaxFault(f.name, text, err)
	default:
		return nil, nil, faultIn(at(f.name, second.Line, second.Column), "begins a second document", "write one policy in each file, and name their directory")
	}
	return text, first.Content[0], nil
}

const emptyRemedy = "write the rules of services; without any, every call would be denied"

// reordering are the characters with which a text can look like another one (Unicode
// Technical Standard 55 §3.1): a reviewer would approve of rules that are not there.
var reordering = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x202a, Hi: 0x202e, Stride: 1}, {Lo: 0x2066, Hi: 0x2069, Stride: 1}}}

// checkText finds what no editor shows. The parser refuses it as well, without saying
// where it is.
func checkText(name string, text []byte) error {
	line, column := 1, 1
	for rest := text; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		switch {
		case r == utf8.RuneError && size == 1:
			return faultIn(at(name, line, column), "is not UTF-8", "")
		case r == '\n':
			line, column = line+1, 0
		case unicode.IsControl(r) && r != '\t' && r != '\r':
			return faultIn(at(name, line, column), fmt.Sprintf("has the control character %U", r), "remove it")
		case r == '\u2028' || r == '\u2029':
			return faultIn(at(name, line, column), fmt.Sprintf("has %U, which ends a line for the parser alone", r), "remove it")
		case unicode.Is(reordering, r):
			return faultIn(at(name, line, column), fmt.Sprintf("has %U, which changes the order in which text is shown", r), "remove it")
		}
		column++
	}
	return nil
}

// syntaxFault is the fault of a text that is not YAML. The parser knows the line alone.
func syntaxFault(name string, text []byte, err error) error {
	reason := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if number, rest, ok := strings.Cut(strings.TrimPrefix(reason, "line "), ": "); ok {
		if n, err := strconv.Atoi(number); err == nil {
			line, reason = n, rest
		}
	}
	if strings.HasPrefix(reason, "did not find expected") {
		line++ // The grammar counts from zero, the scanner from one.
	}
	if anchor, ok := strings.CutPrefix(reason, "unknown anchor '"); ok {
		anchor, _, _ = strings.Cut(anchor, "'")
		before, _, _ := bytes.Cut(text, []byte("*"+anchor))
		line = 1 + bytes.Count(before, []byte("\n"))
		reason = "has the alias *" + clip(anchor) + ", and no anchor of that name"
		return faultIn(fmt.Sprintf("%s:%d", name, line), reason, "write out what it stands for")
	}
	lines := bytes.Split(text, []byte("\n"))
	line = min(line, len(lines))
	if reason == "found character that cannot start any token" || strings.HasPrefix(reason, "found a tab character") {
		indent := len(lines[line-1]) - len(bytes.TrimLeft(lines[line-1], " \t"))
		if tab := bytes.IndexByte(lines[line-1][:indent], '\t'); tab >= 0 {
			return faultIn(at(name, line, tab+1), "is indented by a tab, which YAML does not allow", "use spaces")
		}
	}
	return faultIn(fmt.Sprintf("%s:%d", name, line), "is not YAML: "+clip(reason), "")
}

// at is a position in a file.
func at(name string, line, column int) string { return fmt.Sprintf("%s:%d:%d", name, line, column) }
