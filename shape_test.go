package keysake_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/cli"
)

// The budget of a file, in lines.
const (
	maxFile     = 300
	maxMedian   = 100
	maxTestFile = 600
)

func TestFilesStaySmall(t *testing.T) {
	var sizes []int
	for path, text := range goFiles(t) {
		lines, limit := strings.Count(text, "\n"), maxFile
		if strings.HasSuffix(path, "_test.go") {
			limit = maxTestFile
		} else {
			sizes = append(sizes, lines)
		}
		if lines > limit {
			t.Errorf("%s has %d lines: it holds two things", path, lines)
		}
	}
	slices.Sort(sizes)
	if median := sizes[len(sizes)/2]; median > maxMedian {
		t.Errorf("half of the files have more than %d lines", median)
	}
}

// A line has at most maxColumns columns, a tab counted as 4.
const maxColumns = 100

// What may be longer: a URL, which cannot be broken, and in a test a row of a table, which a reader
// compares with the rows above and below, or the raw text of a body.
var (
	hasURL   = regexp.MustCompile(`\w://`)
	tableRow = regexp.MustCompile("^\\s+((\\{|\"[^\"]*\":|[\\w.]+:\\s+[\"{]).*[,}]$|`)")
)

func TestLinesFitIn100Columns(t *testing.T) {
	for path, text := range goFiles(t) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimRight(line, "\n")
			columns := len([]rune(line)) + 3*strings.Count(line, "\t")
			if columns <= maxColumns || hasURL.MatchString(line) ||
				isTest(path) && tableRow.MatchString(line) {
				continue
			}
			t.Errorf("%s:%d has %d columns", path, number, columns)
		}
	}
}

// A line of a document has at most maxDocColumns columns. What may be longer: a row of a table, a
// block of code, and a URL.
const maxDocColumns = 120

func TestLinesOfDocumentsFitIn120Columns(t *testing.T) {
	pages, _ := filepath.Glob("docs/*.md")
	decisions, _ := filepath.Glob("docs/decisions/*.md")
	if len(pages) == 0 || len(decisions) == 0 {
		t.Fatal("there are no documents")
	}
	for _, path := range append(pages, decisions...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		number, inCode := 0, false
		for line := range strings.Lines(string(text)) {
			number++
			line = strings.TrimRight(line, "\n")
			if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
				inCode = !inCode
			}
			columns := len([]rune(line))
			if columns > maxDocColumns && !inCode && !strings.HasPrefix(line, "|") &&
				!hasURL.MatchString(line) {
				t.Errorf("%s:%d has %d columns", path, number, columns)
			}
		}
	}
}

func isTest(path string) bool {
	return strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/storetest/")
}

func TestNoPackageIsNamedAfterNothing(t *testing.T) {
	nothing := strings.Fields("util utils common helper helpers manager base impl misc")
	for path := range goFiles(t) {
		if slices.Contains(nothing, filepath.Base(filepath.Dir(path))) {
			t.Errorf("%s: the folder's name says nothing of what it holds", path)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for path, text := range goFiles(t) {
		dir, mode := filepath.Dir(path), parser.ParseComments|parser.PackageClauseOnly
		file, err := parser.ParseFile(token.NewFileSet(), path, text, mode)
		if err != nil {
			t.Fatal(err)
		}
		documented[dir] = documented[dir] || file.Doc != nil
	}
	for dir, has := range documented {
		if !has {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// goFiles returns the Go files of the module with their texts.
func goFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(d.Name(), ".") && path != "."
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || hidden):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d Go files: %v", len(files), err)
	}
	return files
}

func TestGeneratedPagesAreCurrent(t *testing.T) {
	for page, command := range map[string]string{
		"docs/settings.md": "settings", "docs/cli.md": "cli",
	} {
		want, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		noEnv := func(string) (string, bool) { return "", false }
		args := []string{"docs", command}
		code := cli.Main(t.Context(), args, noEnv, strings.NewReader(""), &stdout, &stderr)
		if code != 0 {
			t.Fatalf("keysake docs %s: exit code %d\n%s", command, code, &stderr)
		}
		if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
			t.Errorf("%s is not current: make generate\n%s", page, diff)
		}
	}
}
