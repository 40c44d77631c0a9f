package api_test

import (
	"os"
	"regexp"
	"testing"
)

// Generators of clients refuse what is valid and unusual. "make generators" runs three of them.
func TestTheDescriptionHasOnlyWhatGeneratorsRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ all, plain *regexp.Regexp }{
		"a reference into a component": {
			regexp.MustCompile(`\$ref: *'?[^'}\s]+`),
			regexp.MustCompile(`^\$ref: *'#/components/[A-Za-z]+/[A-Za-z0-9]+$`),
		},
		"several types at once": {
			regexp.MustCompile(`type: *\[[^\]]*\]`),
			regexp.MustCompile(`^type: *\[[a-z]+, 'null'\]$`),
		},
	} {
		found := c.all.FindAll(text, -1)
		if len(found) == 0 {
			t.Errorf("%s: the search finds nothing", what)
		}
		for _, f := range found {
			if !c.plain.Match(f) {
				t.Errorf("%s: %s", what, f)
			}
		}
	}
}
