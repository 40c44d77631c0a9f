package catalog_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/plaintext"
)

// gitHubBodies are bodies of tokens with the checksums that belong to them, without the prefix that
// would make them look like credentials. The first was made with another implementation of CRC-32;
// the second is a vector that many projects share.
var gitHubBodies = []struct{ body, checksum string }{
	{strings.Repeat("A", 30), "0uCPlr"},
	{"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"},
}

func TestAGitHubTokenWithItsChecksumIsWhole(t *testing.T) {
	c := load(t)
	for _, b := range gitHubBodies {
		for _, prefix := range []string{"ghp_", "gho_", "ghu_", "ghr_"} {
			if r := c.Recognise(
				"github", plaintext.FromString(prefix+b.body+b.checksum),
			); r.Matched.ID != "github" ||
				r.CutOff {
				t.Errorf("%s with the checksum %s: got %+v", prefix, b.checksum, r)
			}
		}
	}
}

func TestAGitHubTokenIsCutOffAfterAnyChange(t *testing.T) {
	c := load(t)
	for _, b := range gitHubBodies {
		token := "ghp_" + b.body + b.checksum
		for i := len("ghp_"); i < len(token); i++ {
			changed := token[:i] + "_" + token[i+1:]
			if token[i] != 'x' {
				changed = token[:i] + "x" + token[i+1:]
			}
			if r := c.Recognise("github", plaintext.FromString(changed)); !r.CutOff {
				t.Errorf("a change of character %d was not seen", i)
			}
			if r := c.Recognise("github", plaintext.FromString(token[:i])); !r.CutOff {
				t.Errorf("a cut before character %d was not seen", i)
			}
		}
	}
}

func TestAFormatWithoutAChecksumIsNeverCutOff(t *testing.T) {
	c := load(t)
	for _, value := range []string{
		"", "ghs_" + expand(t, "{a*36}"), "ghs_abc", "sk-proj-abc", "anything",
	} {
		for _, preset := range []string{"", "openai", "github"} {
			if c.Recognise(preset, plaintext.FromString(value)).CutOff {
				t.Errorf("%.8q under %q is cut off", value, preset)
			}
		}
	}
}
