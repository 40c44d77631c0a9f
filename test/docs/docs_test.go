package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/test/docs"
)

// repository is the root of the repository; programs are the paths of the binaries that are run.
var (
	repository string
	programs   []string
)

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "keysake-docs-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	programs = []string{filepath.Join(dir, "keysake"), filepath.Join(dir, "demo")}
	if repository, err = filepath.Abs("../.."); err != nil {
		return 1, err
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/keysake", "./test/demo")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// documents returns the pages in the root and in docs, by their paths from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		pages, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil || len(pages) == 0 {
			t.Fatalf("%d pages like %s: %v", len(pages), pattern, err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(repository, page)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// run runs a document in a session of its own.
func run(t *testing.T, blocks []docs.Block) error {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := docs.Start(root, repository, programs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the shell: %v", err)
		}
	})
	s.Databases = databases(t, blocks)
	for _, block := range blocks {
		if err := s.Run(block); err != nil {
			return err
		}
	}
	return nil
}

// databases makes a database of PostgreSQL for a document that names one, by each of its roles.
func databases(t *testing.T, blocks []docs.Block) map[string]string {
	t.Helper()
	used := map[string]string{}
	database := ""
	for _, b := range blocks {
		for _, c := range b.Commands {
			for _, url := range databaseURL.FindAllString(c.Text, -1) {
				if database == "" {
					database = pgtest.Empty(t)
				}
				used[url] = database
			}
		}
	}
	return used
}

var databaseURL = regexp.MustCompile(
	`postgres://[a-z]+@db\.example\.org/keysake\?sslmode=verify-full`)

func TestWhatADocumentSaysIsWhatHappens(t *testing.T) {
	for name, text := range documents(t) {
		blocks, err := docs.Parse(name, text)
		if err != nil {
			t.Error(err)
		}
		if len(blocks) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := run(t, blocks); err != nil {
				t.Error(err)
			}
		})
	}
}

const whole = `# A document

<!-- test: background -->

§§§console
$ keysake serve --dev
Keysake is listening on http://127.0.0.1:8420
§§§

<!-- test: skip: it needs another machine -->
§§§console
$ reboot
§§§

§§§console
$ export KEY="$(cat .keysake-dev/dev-api-key)"

$ curl -sS http://127.0.0.1:8420/api/v1/user/secrets \
  -H "X-API-Key: $KEY"
{"secrets":[],"total":0}

$ keysake presets --help
List …
…
Flags:
  -h, --help …
…
$ echo "$PWD at 2026-11-27 09:13:00Z has 01a20765-c4ff-7d38-ae4e-f7a9f0b47e56"
/home/you/keysake at 2000-01-01 00:00:00Z has 00000000-0000-7000-8000-000000000000
§§§

<!-- test: stopped -->

§§§console
$ ! curl -sS http://127.0.0.1:8420/api/v1/health 2>/dev/null
§§§
`

func TestADocumentThatIsBrokenFails(t *testing.T) {
	whole := strings.ReplaceAll(whole, "§§§", "```")
	whole = strings.ReplaceAll(whole, "$ keysake", "$ bin/keysake")
	for _, c := range []struct{ name, old, broken, want string }{
		{"not at all", "", "", ""},
		{"a command that is misspelt", "presets --help", "presets --no-such-flag", "page.md:22"},
		{"a command that does not exist", "$ curl", "$ crul", "exit code 127"},
		{"a quote too few", `echo "$PWD`, "echo $PWD", "exit code"},
		{"a variable that is not set", "export KEY", "export KYE", "authentication_error"},
		{"output that is not written", `{"secrets":[]`, `{"secret":[]`, "documented:"},
		{"output that is missing", `{"secrets":[],"total":0}`, "", "written:"},
		{"an id that is none", "00000000-0000-7000-8000-000000000000", "0000", "documented:"},
		{"a server that is not stopped", "<!-- test: stopped -->\n", "", "exit code 1"},
		{"a marker without a reason", "skip: it needs another machine", "skip", "unknown marker"},
		{"a marker without a block", "```console\n$ reboot\n```\n\n", "Text.\n", "needs a console"},
		{"a block of another kind", "```console\n$ reboot", "```sh\n$ reboot", "console block"},
		{"a block in a list", "```console\n$ reboot\n```", "  ```console", "indented"},
		{"a block without an end", "null\n```\n", "null\n", "not complete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(whole, c.old, c.broken, 1)
			if text == whole && c.old != "" {
				t.Fatal("the document has no such part")
			}
			blocks, err := docs.Parse("page.md", text)
			if err == nil {
				err = run(t, blocks)
			}
			if (err == nil) != (c.want == "") ||
				err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

var (
	link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	path = regexp.MustCompile(
		"`([A-Za-z0-9_.*-]+(?:/[A-Za-z0-9_.*-]+)*(?:/|\\.(?:go|md|yaml|sql)))`",
	)
)

func TestADocumentNamesFilesThatExist(t *testing.T) {
	for name, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if !exists(filepath.Join(filepath.Dir(name), found[1])) {
				t.Errorf("%s links to %s, which does not exist", name, found[1])
			}
		}
		for _, found := range path.FindAllStringSubmatch(text, -1) {
			if !exists(found[1]) && !exists("internal/"+found[1]) &&
				!exists("internal/api/"+found[1]) {
				t.Errorf("%s names %s, which does not exist", name, found[1])
			}
		}
	}
}

// exists reports whether there is a file or folder at a path from the root; it may be a pattern.
func exists(path string) bool {
	found, err := filepath.Glob(filepath.Join(repository, path))
	return err == nil && len(found) > 0
}
