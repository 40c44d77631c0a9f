// Package dotenv reads .env files as people write them.
//
//	# a comment
//	NAME=value                  # white space around the value does not count, nor does a comment
//	export NAME = 'it''s'       # refused: nothing but a comment follows a quoted value
//	NAME='taken as it is, over
//	several lines'
//	NAME="with \n \r \t \" \\ \$ and \`; other backslashes stay"
//	NAME=`as in single quotes`
//
// A $ is a $: nothing is expanded. A byte order mark is left out, and \r\n is a line ending as \n
// is.
package dotenv

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// A Pair is a variable with its value.
type Pair struct {
	Line  int // of the name, from 1
	Name  string
	Value plaintext.Value
}

// An Error says what is wrong with a line. It quotes nothing of the file.
type Error struct {
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Parse reads a file and returns its variables in their order. A name may be there twice.
// [*Error]: a line is none of the above.
func Parse(text []byte) ([]Pair, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	p := parser{rest: strings.ReplaceAll(string(text), "\r\n", "\n"), line: 1}
	var pairs []Pair
	for p.rest != "" {
		pair, found, err := p.statement()
		if err != nil {
			return nil, err
		}
		if found {
			pairs = append(pairs, pair)
		}
	}
	return pairs, nil
}

// MaxImport is how long a file may be whose variables are stored: a request has no more.
const MaxImport = 256 << 10

// ParseImport is [Parse] for variables that are stored, of which each name is there once. [*Error]:
// a line is no variable, or has a name of before.
func ParseImport(text []byte) ([]Pair, error) {
	pairs, err := Parse(text)
	if err != nil {
		return nil, err
	}
	first := map[string]int{}
	for _, p := range pairs {
		if line, twice := first[p.Name]; twice {
			again := fmt.Sprintf("the name of line %d again: leave one of them out", line)
			return nil, &Error{Line: p.Line, Text: again}
		}
		first[p.Name] = p.Line
	}
	return pairs, nil
}

type parser struct {
	rest string
	line int // of rest
}

func (p *parser) fail(text string) error { return &Error{Line: p.line, Text: text} }

// statement reads a variable, or a line without one.
func (p *parser) statement() (pair Pair, found bool, err error) {
	line, _, _ := strings.Cut(p.rest, "\n")
	if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
		p.nextLine()
		return Pair{}, false, nil
	}
	name, _, found := strings.Cut(line, "=")
	if !found {
		return Pair{}, false, p.fail("there is no = in it")
	}
	p.rest = p.rest[len(name)+1:]
	name = strings.TrimSpace(name)
	after, exported := strings.CutPrefix(name, "export")
	if bare := strings.TrimSpace(after); exported && bare != after {
		name = bare
	}
	if !namePattern.MatchString(name) {
		return Pair{}, false, p.fail("what is before the = is not the name of a variable")
	}
	pair = Pair{Line: p.line, Name: name}
	value, err := p.value()
	pair.Value = plaintext.FromString(value)
	return pair, err == nil, err
}

// value reads what follows the = and the rest of its line.
func (p *parser) value() (string, error) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	if p.rest == "" || !strings.ContainsRune("'\"`", rune(p.rest[0])) {
		line, _, _ := strings.Cut(p.rest, "\n")
		p.nextLine()
		if strings.HasPrefix(line, "#") {
			return "", nil
		}
		for i := 1; i < len(line); i++ {
			if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
				line = line[:i]
			}
		}
		return strings.TrimSpace(line), nil
	}
	value, err := p.quoted()
	if err != nil {
		return "", err
	}
	after, _, _ := strings.Cut(p.rest, "\n")
	if after = strings.TrimSpace(after); after != "" && after[0] != '#' {
		return "", p.fail("something follows the closing quote")
	}
	p.nextLine()
	return value, nil
}

// quoted reads a value in quotes.
func (p *parser) quoted() (string, error) {
	quote := p.rest[0]
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == quote:
			p.line += strings.Count(p.rest[:i], "\n")
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(p.rest):
			i++
			b.WriteString(unescape(p.rest[i]))
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail("a quote is not closed")
}

func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '"', '\\', '$', '`':
		return string(c)
	}
	return "\\" + string(c)
}

func (p *parser) nextLine() {
	_, p.rest, _ = strings.Cut(p.rest, "\n")
	p.line++
}
