package keysake_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.(Test[A-Za-z0-9]+)`")
	aTest     = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w \*testing\.[TF]\)`)
)

// namesOfTests returns all tests of the module, each after its package and a dot.
func namesOfTests(t *testing.T) map[string]bool {
	t.Helper()
	exists := map[string]bool{}
	for path, text := range goFiles(t) {
		for _, found := range aTest.FindAllStringSubmatch(text, -1) {
			exists[filepath.ToSlash(filepath.Dir(path))+"."+found[1]] = true
		}
	}
	return exists
}

// The threat model claims what a test shows. A test that is renamed or removed leaves a claim.
func TestEveryRowOfTheThreatModelNamesTestsThatExist(t *testing.T) {
	exists := namesOfTests(t)
	page, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| who has |") {
			continue
		}
		rows++
		tests := namedTest.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test shows this: %.80s", line)
		}
		for _, named := range tests {
			if name := named[1] + "." + named[2]; !exists[name] {
				t.Errorf("the page names %s, which does not exist: %.80s", name, line)
			}
		}
	}
	if rows == 0 {
		t.Error("the page has no rows")
	}
}
