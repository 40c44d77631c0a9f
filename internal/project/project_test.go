package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/project"
)

// write writes keysake.toml into dir, which it makes.
func write(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, project.FileName)
	if err := errors.Join(
		os.MkdirAll(dir, 0o700),
		os.WriteFile(path, []byte(text), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheNearestFileAboveIsRead(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b", "c")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := project.Find(deep); !errors.Is(err, project.ErrNone) {
		t.Errorf("without a file: %v", err)
	}
	write(t, root, `secrets = ["FAR"]`)
	path := write(t, filepath.Join(root, "a"), `
# what the tests need
secrets = ["ONE", "two_2"]
presets = ["openai"]
[map]
ONE = "OTHER"
`)
	got, err := project.Find(deep)
	want := project.Project{
		Path: path, Secrets: []string{"ONE", "two_2"}, Presets: []string{"openai"},
		Map: map[string]string{"ONE": "OTHER"},
	}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %s", err, cmp.Diff(want, got))
	}
}

func TestAFaultHasItsLineAndQuotesNothing(t *testing.T) {
	for text, want := range map[string]string{
		"presets = [\"a\"]\nOPENAI_API_KEY = \"hidden\"": "line 2: unknown setting",
		"secrets = [\"A\"]\nx = hidden":                  "line 2 cannot be read",
		"secrets = \"hidden\"":                           "line 1 cannot be read",
		"secrets = [\"A\", \"hidden-1\"]":                "entry 2 of secrets is not",
		"secrets = [\"hidden*\"]":                        "entry 1 of secrets is not",
		"presets = [\"HIDDEN\"]":                         "entry 1 of presets is not",
		"[map]\nA = \"hidden-1\"":                        "an entry of [map]",
		strings.Repeat("#", 64<<10) + "\n":               "is longer than 65536 bytes",
	} {
		dir := t.TempDir()
		path := write(t, dir, text)
		_, err := project.Find(dir)
		if err == nil || !strings.HasPrefix(err.Error(), path) ||
			!strings.Contains(err.Error(), want) ||
			strings.Contains(strings.ToLower(err.Error()), "hidden") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
