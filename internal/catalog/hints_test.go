package catalog_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

func TestHintsSayWhatTheUserShouldKnow(t *testing.T) {
	c := load(t)
	whole := plaintext.FromString("ghp_" + gitHubBodies[0].body + gitHubBodies[0].checksum)
	for _, row := range []struct {
		preset string
		value  plaintext.Value
		want   []string // a part of each line, in order
	}{
		{"openai", example(t, "openai", "project"), nil},
		{"github", whole, nil},
		{"", plaintext.FromString("anything"), nil},
		{"openai", example(
			t, "openai", "admin",
		), []string{"admin key", "from OPENAI_ADMIN_KEY, not from OPENAI_API_KEY"}},
		{"anthropic", example(t, "anthropic", "oauth_refresh"), []string{"refresh token"}},
		{"anthropic", example(
			t, "anthropic", "oauth_access",
		), []string{"from ANTHROPIC_AUTH_TOKEN, not"}},
		{"github", example(t, "github", "app_installation"), []string{"short-lived"}},
		{"github", example(t, "github", "legacy_hex"), nil},
		{"github", example(t, "github", "pat_classic"), []string{"cut off"}},
		{"github", plaintext.FromString("ghp_short"), []string{"cut off"}},
		{"openai", whole, []string{"from GitHub. Save it under GitHub, or keep it under OpenAI."}},
		{"openai", example(t, "anthropic", "admin"), []string{"from Anthropic"}},
		{"", example(
			t, "anthropic", "admin",
		), []string{"from Anthropic, for which there is a preset"}},
		{"openai", plaintext.FromString("anything"), []string{"does not look like the keys from OpenAI"}},
		{"openai", plaintext.FromString("export X='Bearer any' \n"), []string{
			"line break", "white space", "assignment", "quotation marks", "Bearer",
			"does not look like the keys from OpenAI",
		}},
	} {
		got := c.Recognise(row.preset, row.value).Hints()
		if len(got) != len(row.want) {
			t.Errorf("%q: got %q, want %q", row.preset, got, row.want)
			continue
		}
		for i, part := range row.want {
			if !strings.Contains(got[i], part) {
				t.Errorf("%q: line %d is %q, without %q", row.preset, i, got[i], part)
			}
		}
	}
}

func TestEveryTraitThatSurprisesHasAHint(t *testing.T) {
	preset, _ := load(t).Preset("openai")
	var silent []catalog.Trait
	for _, trait := range []catalog.Trait{
		catalog.TraitAdmin, catalog.TraitRefresh, catalog.TraitShortLived, catalog.TraitPublishable,
		catalog.TraitOAuth, catalog.TraitLegacy, catalog.TraitNeverVerify,
	} {
		r := catalog.Recognition{
			Chosen:     preset,
			Matched:    preset,
			EnvVarName: preset.EnvVarName,
			Traits:     []catalog.Trait{trait},
		}
		if len(r.Hints()) == 0 {
			silent = append(silent, trait)
		}
	}
	if d := cmp.Diff(
		[]catalog.Trait{catalog.TraitOAuth, catalog.TraitLegacy, catalog.TraitNeverVerify}, silent,
	); d != "" {
		t.Error(d)
	}
}

func TestEveryHintIsOneSentenceOrTwoOnOneLine(t *testing.T) {
	c := load(t)
	for _, value := range recogniseSeeds(t) {
		for _, hint := range c.Recognise("openai", plaintext.FromString(value)).Hints() {
			if strings.ContainsFunc(hint, unicode.IsControl) || !strings.HasSuffix(hint, ".") {
				t.Errorf("%q", hint)
			}
		}
	}
}
