package catalog_test

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/catalog/presetfile"
)

func load(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	c, err := catalog.Load()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// written is the catalog as people wrote it, with what the program leaves away.
var written = sync.OnceValues(func() ([]byte, error) {
	c, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	var all []catalog.Entry
	for _, p := range c.Presets() {
		text, err := os.ReadFile("providers/" + p.ID + ".yaml")
		if err != nil {
			return nil, err
		}
		e, err := presetfile.Read(text)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return json.Marshal(all)
})

// entries returns the catalog as people wrote it, each time afresh, for tests to break.
func entries(tb testing.TB) []catalog.Entry {
	tb.Helper()
	text, err := written()
	if err != nil {
		tb.Fatal(err)
	}
	var all []catalog.Entry
	if err := json.Unmarshal(text, &all); err != nil {
		tb.Fatal(err)
	}
	return all
}

func parse(tb testing.TB, all []catalog.Entry) (*catalog.Catalog, error) {
	tb.Helper()
	text, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return catalog.Parse(text)
}

func TestTheContractsPresetsComeFirstAndInItsOrder(t *testing.T) {
	type row struct{ ID, EnvVarName string }
	var got []row
	for _, p := range load(t).Presets()[:4] {
		got = append(got, row{p.ID, p.EnvVarName})
	}
	want := []row{
		{"openai", "OPENAI_API_KEY"},
		{"anthropic", "ANTHROPIC_API_KEY"},
		{"github", "GITHUB_TOKEN"},
		{"tinker", "TINKER_API_KEY"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAPresetIsFoundByItsExactIDOnly(t *testing.T) {
	c := load(t)
	want := catalog.Preset{
		ID: "openai", Name: "OpenAI", EnvVarName: "OPENAI_API_KEY",
		Category:  "ai-inference",
		Docs:      "https://developers.openai.com/api/reference/overview",
		CreateKey: "https://platform.openai.com/api-keys",
	}
	if got, ok := c.Preset("openai"); !ok || got != want {
		t.Errorf("got %+v, %v", got, ok)
	}
	for _, id := range []string{"", "OpenAI", "openai ", "unknown"} {
		if got, ok := c.Preset(id); ok || got != (catalog.Preset{}) {
			t.Errorf("%q: got %+v, %v", id, got, ok)
		}
	}
}

func TestAnswersOfTheCatalogAreTheCallersOwn(t *testing.T) {
	c := load(t)
	c.Presets()[0].ID = "changed"
	if c.Presets()[0].ID != "openai" {
		t.Error("a caller changed the presets")
	}
	admin := example(t, "openai", "admin")
	c.Recognise("openai", admin).Traits[0] = "changed"
	if got := c.Recognise("openai", admin).Traits[0]; got != catalog.TraitAdmin {
		t.Errorf("a caller changed a trait to %q", got)
	}
}

// What of this module it may import is arch_test.go's to say.
func TestNoPackageOfOthersButTheStandardLibraryIsImported(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range parsed.Imports {
			path := strings.Trim(imported.Path.Value, `"`)
			ours := strings.HasPrefix(path, "github.com/keysake/keysake/")
			if strings.Contains(path, ".") && !ours {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

func TestACheckThatCostsMoneyIsOffByDefault(t *testing.T) {
	if !(catalog.Check{Cost: catalog.CostFree}).OnByDefault() {
		t.Error("a free check is off")
	}
	for _, cost := range []catalog.Cost{catalog.CostMetered, "", "unknown"} {
		if (catalog.Check{Cost: cost}).OnByDefault() {
			t.Errorf("a check of cost %q is on", cost)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := catalog.Load(); err != nil {
			b.Fatal(err)
		}
	}
}
