// Command tally reads what "go test -json" writes. It prints what "go test" would, and at the end
// how many tests passed on each database, and which were skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	t, err := count(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	if _, err := fmt.Fprint(os.Stdout, t); err != nil || t.failed {
		os.Exit(1)
	}
}

// An event is a line of "go test -json".
type event struct {
	Action, Package, Test, Output string
}

// The databases that tests run on. Most tests need none.
const (
	none     = "no database or a file"
	sqlite   = "SQLite"
	postgres = "PostgreSQL"
)

type tally struct {
	passed  map[string]int // by database
	skipped []string
	failed  bool
}

// A source is what writes output: a test, or a package for what belongs to none.
type source struct{ pkg, test string }

// count reads events to their end. It writes what go test would: of a package that fails the output
// of the tests that failed or did not end, and of others the last line.
func count(r io.Reader, w io.Writer) (tally, error) {
	t := tally{passed: map[string]int{}}
	database, output := map[string]string{}, map[source][]byte{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return t, fmt.Errorf("%w: %s", err, lines.Text())
		}
		from := source{e.Package, e.Test}
		var text string
		switch e.Action {
		case "output", "build-output":
			if on, found := strings.CutPrefix(strings.TrimSpace(e.Output), "tests on "); found {
				database[e.Package] = on
			}
			output[from] = append(output[from], e.Output...)
			continue
		case "pass", "skip":
			if e.Test == "" {
				text = lastLine(string(output[from])) + "\n"
			}
		case "fail", "build-fail":
			t.failed = true
			if e.Test == "" {
				text = unended(output, e.Package)
			}
			text += string(output[from])
		default:
			continue
		}
		if e.Test != "" {
			t.test(e, database[e.Package])
		}
		delete(output, from)
		if _, err := io.WriteString(w, text); err != nil {
			return t, err
		}
	}
	return t, lines.Err()
}

// unended returns the output of the tests of a package that have not ended.
func unended(output map[source][]byte, pkg string) (text string) {
	for from, said := range output {
		if from.pkg == pkg && from.test != "" {
			text += string(said)
		}
	}
	return text
}

// test counts the end of a test.
func (t *tally) test(e event, database string) {
	switch {
	case strings.HasSuffix(e.Package, "/store/postgres"), strings.Contains(e.Test, postgres):
		database = postgres
	case strings.HasSuffix(e.Package, "/store/sqlite"), strings.Contains(e.Test, "/"+sqlite+"/"):
		database = sqlite
	case database == "":
		database = none
	}
	switch e.Action {
	case "pass":
		t.passed[database]++
	case "skip":
		t.skipped = append(t.skipped, e.Package+" "+e.Test)
	}
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func (t tally) String() string {
	text := ""
	for _, skipped := range t.skipped {
		text += "skipped: " + skipped + "\n"
	}
	return text + fmt.Sprintf("tests that passed: %d on %s, %d on %s, %d on %s; skipped: %d\n",
		t.passed[sqlite], sqlite, t.passed[postgres], postgres, t.passed[none], none,
		len(t.skipped))
}
