// Package docs runs the console blocks of the documents, so that what a reader pastes works.
//
// A console block has commands, each after "$ ", and below each the output that it must give. A
// command that ends in a backslash goes on in the next line. In the output, ids and times stand for
// any id and time, "…" for any text within a line, and a line of "…" alone for any number of lines.
//
// A comment before a block changes how it is run:
//
//	<!-- test: background -->   runs until it is stopped, as in another terminal
//	<!-- test: stopped -->      begins when everything in the background was stopped, as by Ctrl-C
//	<!-- test: restarted -->    both: what runs in the background now was stopped before
//	<!-- test: skip: reason --> is not run
package docs

import (
	"fmt"
	"regexp"
	"strings"
)

// A Block is one console block of a document.
type Block struct {
	File       string
	Line       int // of the opening fence
	Background bool
	Stopped    bool
	Skip       string // why it is not run; empty if it is
	Commands   []Command
}

// A Command is what a reader pastes, and the output that it must give.
type Command struct {
	Line  int
	Text  string
	Lines []string
}

const (
	fence  = "```"
	prompt = "$ "
)

var marker = regexp.MustCompile(`^<!-- test: (background|stopped|restarted|skip: (.+)) -->$`)

// Parse returns the console blocks of a Markdown document, in order. It refuses a marker that it
// does not know or that has no block, and commands in a block of another kind.
func Parse(file, text string) ([]Block, error) {
	var blocks []Block
	var block *Block // the open one; its commands count only if it is a console block
	var pending []string
	language := ""
	for i, line := range strings.Split(text, "\n") {
		at := func(format string, args ...any) error {
			return fmt.Errorf("%s:%d: "+format, append([]any{file, i + 1}, args...)...)
		}
		switch {
		case block != nil && line == fence:
			if language == "console" && len(block.Commands) == 0 {
				return nil, at("a console block needs a command")
			}
			if language == "console" {
				blocks = append(blocks, *block)
			}
			block = nil
		case block != nil && language == "console":
			if err := block.add(line, i+1); err != nil {
				return nil, at("%w", err)
			}
		case block != nil && strings.HasPrefix(line, prompt):
			return nil, at("commands belong in a console block")
		case block != nil:
		case strings.HasPrefix(line, fence):
			language = strings.TrimPrefix(line, fence)
			if language == "sh" || language == "bash" || language == "shell" {
				return nil, at("commands belong in a console block")
			}
			if pending != nil && language != "console" {
				return nil, at("a marker needs a console block")
			}
			block = &Block{File: file, Line: i + 1}
			if pending != nil {
				block.Background = pending[1] == "background" || pending[1] == "restarted"
				block.Stopped = pending[1] == "stopped" || pending[1] == "restarted"
				block.Skip = pending[2]
			}
			pending = nil
		case strings.HasPrefix(strings.TrimSpace(line), fence):
			return nil, at("a block must not be indented")
		case strings.HasPrefix(line, "<!-- test:"):
			if pending = marker.FindStringSubmatch(line); pending == nil {
				return nil, at("unknown marker %s", line)
			}
		case line != "" && pending != nil:
			return nil, at("a marker needs a console block")
		}
	}
	if block != nil || pending != nil {
		return nil, fmt.Errorf("%s: the last block or marker is not complete", file)
	}
	return blocks, nil
}

// add takes in one line of a console block.
func (b *Block) add(line string, number int) error {
	last := len(b.Commands) - 1
	switch text, isCommand := strings.CutPrefix(line, prompt); {
	case isCommand:
		b.Commands = append(b.Commands, Command{Line: number, Text: text})
	case last < 0:
		return fmt.Errorf("a console block begins with a command")
	case len(b.Commands[last].Lines) == 0 && strings.HasSuffix(b.Commands[last].Text, `\`):
		b.Commands[last].Text += "\n" + line
	default:
		b.Commands[last].Lines = append(b.Commands[last].Lines, line)
	}
	return nil
}

const (
	anyID   = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	anyTime = `[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z`
)

var (
	placeholder = regexp.MustCompile(anyID + "|" + anyTime + "|…")
	blankLines  = regexp.MustCompile(`\n{2,}`)
)

// pattern returns what the output must match. The output of a command in the background may have
// other lines in between, such as those of its log.
func (c Command) pattern(background bool) *regexp.Regexp {
	var b strings.Builder
	for _, line := range c.Lines {
		switch {
		case line == "…":
			b.WriteString(`(?:[^\n]*\n)*?`)
			continue
		case line == "":
			b.WriteString(`\n*`) // a blank line keeps blocks apart, and is no output
			continue
		case background:
			b.WriteString(`(?:[^\n]*\n)*?`)
		}
		end := 0
		for _, found := range placeholder.FindAllStringIndex(line, -1) {
			b.WriteString(regexp.QuoteMeta(line[end:found[0]]))
			switch text := line[found[0]:found[1]]; {
			case text == "…":
				b.WriteString(`[^\n]*`)
			case strings.Contains(text, ":"):
				b.WriteString(anyTime)
			default:
				b.WriteString(anyID)
			}
			end = found[1]
		}
		b.WriteString(regexp.QuoteMeta(line[end:]) + `\n`)
	}
	if background {
		return regexp.MustCompile(`^` + b.String())
	}
	return regexp.MustCompile(`^` + b.String() + `$`)
}
