package catalog_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

func maskSeeds() []string {
	return []string{
		"",
		"short",
		strings.Repeat("x", 24),
		strings.Repeat("x", 25),
		strings.Repeat("é", 25),
		strings.Repeat("\xff", 30),
		bullets + strings.Repeat("x", 30),
		"\x1b[31m" + strings.Repeat("x", 30) + "\u202e\u200b\n",
	}
}

// recogniseSeeds has every example of the catalog, as it is and as it is pasted.
func recogniseSeeds(tb testing.TB) []string {
	tb.Helper()
	seeds := []string{
		"",
		"=",
		"export X=",
		"Bearer ",
		"\"",
		"\n",
		"ghp_",
		"sk-",
		"eyJ..",
		"tml-\xff",
	}
	for _, e := range entries(tb) {
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				for _, text := range described.Examples {
					key := expand(tb, text)
					seeds = append(seeds, key, "export X=\"Bearer "+key+"\"\n", f.Env+"="+key)
				}
			}
		}
	}
	return seeds
}

func loadSeeds(tb testing.TB) []string {
	tb.Helper()
	text, err := written()
	if err != nil {
		tb.Fatal(err)
	}
	seeds := []string{
		"",
		"[]",
		"{}",
		"null",
		"[{}]",
		`[{"id":"x"}]`,
		`[{"fields":[{"formats":[{"regex":"("}]}]}]`,
		string(text),
	}
	for _, e := range entries(tb) {
		one, err := json.Marshal([]catalog.Entry{e})
		if err != nil {
			tb.Fatal(err)
		}
		seeds = append(seeds, string(one))
	}
	return seeds
}

func TestTheFuzzersHaveSeeds(t *testing.T) {
	for name, seeds := range map[string][]string{
		"FuzzMask": maskSeeds(), "FuzzRecognise": recogniseSeeds(t), "FuzzLoad": loadSeeds(t),
	} {
		if len(seeds) < 8 {
			t.Errorf("%s has only %d seeds", name, len(seeds))
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range maskSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if err := maskPromise(value, mask(value)); err != "" {
			t.Error(err)
		}
	})
}

func FuzzRecognise(f *testing.F) {
	c := load(f)
	for i, s := range recogniseSeeds(f) {
		f.Add([]string{"", "openai", "anthropic", "github", "tinker"}[i%5], s)
	}
	f.Fuzz(func(t *testing.T, preset, value string) {
		held := plaintext.FromString(value)
		r := c.Recognise(preset, held)
		if string(held.Reveal()) != value {
			t.Error("the value was changed")
		}
		if chosen, _ := c.Preset(preset); r.Chosen != chosen {
			t.Errorf("the chosen preset is %+v", r.Chosen)
		}
		if (r.Matched.ID == "") != (r.Format == "") {
			t.Errorf("a provider without a format, or a format without a provider: %+v", r)
		}
		if _, known := c.Preset(r.Matched.ID); r.Matched.ID != "" && !known {
			t.Errorf("the provider is not in the catalog: %+v", r)
		}
		for _, hint := range r.Hints() {
			if hint == "" || !utf8.ValidString(hint) || strings.ContainsAny(hint, "\r\n") {
				t.Errorf("a hint that is no line: %q", hint)
			}
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, s := range loadSeeds(f) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := catalog.Parse(text)
		if err != nil {
			if c != nil {
				t.Error("an error, and yet a catalog")
			}
			return
		}
		presets := c.Presets()
		if len(presets) == 0 ||
			slices.ContainsFunc(presets, func(p catalog.Preset) bool {
				return p.ID == "" || p.EnvVarName == ""
			}) {
			t.Errorf("presets that cannot be used were taken: %+v", presets)
		}
		for _, p := range presets {
			c.Recognise(p.ID, plaintext.FromString("anything"))
		}
	})
}
