package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// width is the length of the longest line of the narration. A line with a URL may
// be longer.
const width = 80

// narrator prints the walk-through: first what went over the wire, then what it
// means.
type narrator struct {
	out   io.Writer
	bold  string // how to begin and end a heading on this output
	plain string
	step  int
}

// newNarrator prints to out, with headings in bold if that is a terminal.
func newNarrator(out io.Writer) *narrator {
	n := &narrator{out: out}
	if isTerminal(out) {
		n.bold, n.plain = "\x1b[1m", "\x1b[0m"
	}
	return n
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// heading begins a step.
func (n *narrator) heading(title string) {
	n.step++
	fmt.Fprintf(n.out, "\n%s%2d. %s%s\n", n.bold, n.step, title, n.plain)
}

// say prints a paragraph.
func (n *narrator) say(format string, args ...any) {
	for _, line := range wrap(strings.Fields(fmt.Sprintf(format, args...)), width-4) {
		fmt.Fprintf(n.out, "    %s\n", line)
	}
}

// sent prints what the client sent.
func (n *narrator) sent(format string, args ...any) { n.wire(">", fmt.Sprintf(format, args...)) }

// got prints what came back.
func (n *narrator) got(format string, args ...any) { n.wire("<", fmt.Sprintf(format, args...)) }

// wire prints a line of a message, folded between parameters and then, if that is
// not enough, at spaces.
func (n *narrator) wire(direction, line string) {
	if len(line) > width-6 {
		line = strings.ReplaceAll(line, `", `, "\",\n")
	}
	for i, part := range strings.Split(line, "\n") {
		if i == 0 {
			fmt.Fprintf(n.out, "    %s %s\n", direction, part)
			continue
		}
		for _, folded := range fold(part) {
			fmt.Fprintf(n.out, "        %s\n", folded)
		}
	}
}

// fold breaks a long line and keeps its indentation.
func fold(line string) []string {
	const longest = 92
	if len(line) <= longest {
		return []string{line}
	}
	text := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(text)]
	lines := wrap(strings.Fields(text), width-10-len(indent))
	for i := range lines {
		if i > 0 {
			lines[i] = "  " + lines[i]
		}
		lines[i] = indent + lines[i]
	}
	return lines
}

// space prints an empty line.
func (n *narrator) space() { fmt.Fprintln(n.out) }

// wrap breaks text into lines of at most limit characters. A longer word gets a
// line of its own.
func wrap(words []string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range words {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > limit:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}
