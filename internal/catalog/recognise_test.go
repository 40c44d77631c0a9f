package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// expand makes a key of the text of an example.
func expand(tb testing.TB, text string) string {
	tb.Helper()
	key, err := catalog.Expand(text)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// example returns a key that has the format, from the first example that the catalog gives.
func example(tb testing.TB, provider, format string) plaintext.Value {
	tb.Helper()
	for _, e := range entries(tb) {
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				if e.ID == provider && described.ID == format {
					return plaintext.FromString(expand(tb, described.Examples[0]))
				}
			}
		}
	}
	tb.Fatalf("the catalog has no format %s of %s", format, provider)
	return plaintext.Value{}
}

// seen is a Recognition in short.
type seen struct {
	Provider, Format, Env string
	Traits                []catalog.Trait
	Wrong, CutOff         bool
	Paste                 []catalog.Paste
}

func short(r catalog.Recognition) seen {
	return seen{r.Matched.ID, r.Format, r.EnvVarName, r.Traits, r.WrongPreset(), r.CutOff, r.Paste}
}

func TestEveryExampleIsRecognisedUnderItsOwnPreset(t *testing.T) {
	c := load(t)
	for _, e := range entries(t) {
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				for _, text := range described.Examples {
					r := c.Recognise(e.ID, plaintext.FromString(expand(t, text)))
					if r.Chosen.ID != e.ID || r.Matched.ID != e.ID || r.Format != described.ID ||
						r.WrongPreset() ||
						r.Paste != nil {
						t.Errorf("%s %s: got %+v", e.ID, text, r)
					}
				}
			}
		}
	}
}

func TestADistinctiveKeyUnderAnotherPresetIsPointedOut(t *testing.T) {
	c := load(t)
	for _, e := range entries(t) {
		for _, f := range e.Fields {
			for _, described := range f.Formats {
				for _, p := range c.Presets() {
					if p.ID == e.ID {
						continue
					}
					r := c.Recognise(p.ID, plaintext.FromString(expand(t, described.Examples[0])))
					if r.WrongPreset() != described.Distinct ||
						(described.Distinct && r.Matched.ID != e.ID) {
						t.Errorf("%s %s under %s: got %+v", e.ID, described.ID, p.ID, r)
					}
				}
			}
		}
	}
}

func TestAKindOfKeyIsRecognisedWithWhatIsSpecialAboutIt(t *testing.T) {
	c := load(t)
	for _, row := range []struct {
		preset, provider, format string
		want                     seen
	}{
		{"openai", "openai", "project", seen{Provider: "openai", Format: "project", Env: "OPENAI_API_KEY"}},
		{"openai", "openai", "admin", seen{
			Provider: "openai", Format: "admin", Env: "OPENAI_ADMIN_KEY",
			Traits: []catalog.Trait{catalog.TraitAdmin},
		}},
		{"anthropic", "anthropic", "oauth_access", seen{
			Provider: "anthropic", Format: "oauth_access", Env: "ANTHROPIC_AUTH_TOKEN",
			Traits: []catalog.Trait{catalog.TraitOAuth},
		}},
		{"anthropic", "openai", "project", seen{Provider: "openai", Format: "project", Env: "OPENAI_API_KEY", Wrong: true}},
		{"tinker", "tinker", "jwt", seen{
			Provider: "tinker", Format: "jwt", Env: "TINKER_API_KEY",
			Traits: []catalog.Trait{catalog.TraitShortLived},
		}},
		{"openai", "tinker", "jwt", seen{}},
		{"openai", "github", "legacy_hex", seen{}},
		{"", "anthropic", "api_key", seen{Provider: "anthropic", Format: "api_key", Env: "ANTHROPIC_API_KEY", Wrong: true}},
		{"acme", "github", "pat_fine_grained", seen{Provider: "github", Format: "pat_fine_grained", Env: "GITHUB_TOKEN", Wrong: true}},
	} {
		if d := cmp.Diff(
			row.want, short(c.Recognise(row.preset, example(t, row.provider, row.format))),
		); d != "" {
			t.Errorf("%s %s under %q:\n%s", row.provider, row.format, row.preset, d)
		}
	}
}

func TestADistinctiveMatchElsewhereBeatsAVagueMatchHere(t *testing.T) {
	all := entries(t)
	formats := &all[0].Fields[0].Formats
	*formats = append(
		*formats,
		catalog.Format{ID: "anything", Regex: `[!-~]+`, Examples: []string{"{a*32}"}},
	)
	c, err := parse(t, all)
	if err != nil {
		t.Fatal(err)
	}
	key := example(t, "anthropic", "api_key")
	if r := c.Recognise("openai", key); r.Matched.ID != "anthropic" {
		t.Errorf("a vague format here won: %+v", r)
	}
	if r := c.Recognise("openai", plaintext.FromString("anything-else")); r.Format != "anything" {
		t.Errorf("the vague format was not tried: %+v", r)
	}
	if r := c.Recognise("openai", example(t, "openai", "project")); r.Format != "project" {
		t.Errorf("the order of the formats does not count: %+v", r)
	}
}

func TestWhatWasPastedAlongIsPointedOutAndLeftAway(t *testing.T) {
	c := load(t)
	key := expand(t, "sk-ant-api03-{a*93}AA")
	for _, row := range []struct {
		before, after string
		want          []catalog.Paste
	}{
		{"", "", nil},
		{"", "\n", []catalog.Paste{catalog.PasteNewline}},
		{"\r\n", "\r\n", []catalog.Paste{catalog.PasteNewline}},
		{" ", "", []catalog.Paste{catalog.PasteSpace}},
		{"", "\u00a0", []catalog.Paste{catalog.PasteSpace}},
		{"\t", " \n", []catalog.Paste{catalog.PasteNewline, catalog.PasteSpace}},
		{"Bearer ", "", []catalog.Paste{catalog.PasteBearer}},
		{"bearer  ", "", []catalog.Paste{catalog.PasteBearer}},
		{`"`, `"`, []catalog.Paste{catalog.PasteQuotes}},
		{"'", "", []catalog.Paste{catalog.PasteQuotes}},
		{"“", "”", []catalog.Paste{catalog.PasteQuotes}},
		{`"Bearer `, `"`, []catalog.Paste{catalog.PasteQuotes, catalog.PasteBearer}},
		{"export MY_KEY=", "", []catalog.Paste{catalog.PasteAssignment}},
		{"ANTHROPIC_API_KEY=", "", []catalog.Paste{catalog.PasteAssignment}},
		{"OPENAI_ADMIN_KEY = ", "", nil},
		{"export ANTHROPIC_API_KEY=\"", "\"\n", []catalog.Paste{catalog.PasteNewline, catalog.PasteAssignment, catalog.PasteQuotes}},
	} {
		r := c.Recognise("anthropic", plaintext.FromString(row.before+key+row.after))
		if d := cmp.Diff(row.want, r.Paste); d != "" {
			t.Errorf("%q … %q:\n%s", row.before, row.after, d)
		}
		if row.want != nil && r.Format != "api_key" {
			t.Errorf("%q … %q: the key in it was not recognised: %+v", row.before, row.after, r)
		}
	}
}

func TestAnEqualsSignAloneIsNoAssignment(t *testing.T) {
	for _, value := range []string{
		"key=value", "c2VjcmV0==", "=", "export =x", "exported=x", "PATH=x",
	} {
		if r := load(t).Recognise("", plaintext.FromString(value)); r.Paste != nil {
			t.Errorf("%q: got %v", value, r.Paste)
		}
	}
}

func TestALineBreakInsideAValueIsPointedOut(t *testing.T) {
	r := load(t).Recognise("openai", plaintext.FromString("one\ntwo"))
	if d := cmp.Diff(seen{Paste: []catalog.Paste{catalog.PasteNewline}}, short(r)); d != "" {
		t.Error(d)
	}
}

func TestAValueLongerThanAnyKeyMatchesNothing(t *testing.T) {
	c := load(t)
	for _, row := range []struct {
		preset, value string
		found         bool
	}{
		{"tinker", "tml-" + strings.Repeat("a", 4092), true},
		{"tinker", "tml-" + strings.Repeat("a", 4093), false},
		{"tinker", "tml-" + strings.Repeat("a", 64<<10), false},
		{"github", "ghs_1_a.b." + strings.Repeat("c", 1014), true},
		{"github", "ghs_1_a.b." + strings.Repeat("c", 1015), false},
	} {
		if r := c.Recognise(
			row.preset, plaintext.FromString(row.value),
		); (r.Matched.ID != "") != row.found {
			t.Errorf("%s, %d bytes: got %+v", row.preset, len(row.value), r)
		}
	}
}

func TestNoRecognitionHoldsAnyPartOfTheValue(t *testing.T) {
	c := load(t)
	presets := []string{"", "openai", "anthropic", "github", "tinker"}
	rapid.Check(t, func(t *rapid.T) {
		// Digits make it certain that no word of a hint is a part of the value by chance.
		secret := rapid.StringMatching(`(?:[0-9][A-Za-z]){4,40}`).Draw(t, "secret")
		before := rapid.SampledFrom(
			[]string{"", "sk-proj-", "sk-ant-oat01-", "ghp_", "tml-", "export A=\"Bearer ", "\n"},
		).
			Draw(t, "before")
		r := c.Recognise(
			rapid.SampledFrom(presets).Draw(t, "preset"), plaintext.FromString(before+secret),
		)
		told := fmt.Sprintf("%+v %q", r, r.Hints())
		for i := range len(secret) - 3 {
			if strings.Contains(told, secret[i:i+4]) {
				t.Fatalf("%s shows a part of the value", told)
			}
		}
	})
}

func BenchmarkRecogniseAKey(b *testing.B) {
	benchmarkRecognise(b, example(b, "anthropic", "api_key"))
}

func BenchmarkRecogniseTheLongestValue(b *testing.B) {
	benchmarkRecognise(b, plaintext.FromString(strings.Repeat("a", 64<<10)))
}

func BenchmarkRecogniseTheLongestKeyThatNothingMatches(b *testing.B) {
	benchmarkRecognise(b, plaintext.FromString("sk-"+strings.Repeat("T3BlbkF-", 511)))
}

func benchmarkRecognise(b *testing.B, v plaintext.Value) {
	b.Helper()
	c := load(b)
	b.ReportAllocs()
	for b.Loop() {
		c.Recognise("openai", v)
	}
}
