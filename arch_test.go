// Package keysake_test holds the shape of the code: who imports whom, how large a file may be, and
// that generated pages are current.
package keysake_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/cli"
)

const module = "github.com/keysake/keysake"

// layers lists what each package may import of this module. A package that is not listed may import
// nothing of ours; a new edge is a reviewed line here. Tests may import apptest and whatever they
// test.
var layers = map[string]string{
	"plaintext":                "",
	"wire":                     "plaintext",
	"client":                   "plaintext wire",
	"internal/audit":           "",
	"internal/policy":          "",
	"internal/backup":          "",
	"internal/doctor":          "internal/audit internal/backup internal/seal internal/store internal/vault",
	"internal/seal":            "plaintext",
	"internal/base62":          "",
	"internal/privatefile":     "",
	"internal/catalog":         "internal/base62 plaintext",
	"internal/catalog/gen":     "internal/catalog",
	"internal/middleware":      "",
	"internal/vault":           "internal/audit internal/base62 internal/catalog internal/policy internal/seal plaintext",
	"internal/store":           "internal/audit internal/backup internal/policy internal/vault",
	"internal/store/sqlite":    "internal/backup internal/store internal/vault",
	"internal/store/storetest": "internal/audit internal/policy internal/store internal/vault",
	"internal/identity":        "internal/vault plaintext",
	"internal/api":             "internal/audit internal/identity internal/middleware internal/vault plaintext wire",
	"internal/api/apicontract": "",
	"internal/rootkey":         "internal/privatefile internal/seal plaintext",
	"internal/config":          "",
	"internal/instance": "internal/catalog internal/config internal/rootkey " +
		"internal/privatefile internal/seal internal/store/sqlite internal/vault plaintext",
	"internal/maintenance": "internal/backup internal/config internal/doctor internal/instance " +
		"internal/privatefile internal/rootkey internal/seal internal/store internal/store/sqlite " +
		"internal/vault",
	"internal/server": "internal/api internal/config internal/identity internal/instance " +
		"internal/middleware internal/rootkey",
	"internal/cli": "client internal/catalog internal/config internal/doctor internal/instance " +
		"internal/maintenance internal/privatefile internal/rootkey internal/server internal/vault " +
		"plaintext wire",
	"internal/apptest": "client internal/config internal/server plaintext wire",
	"cmd/keysake":      "internal/cli",
}

func TestImportsRunOneWay(t *testing.T) {
	packages := ourImports(t)
	for pkg, imports := range packages {
		allowed := strings.Fields(layers[pkg])
		for _, imported := range imports {
			ours, found := strings.CutPrefix(imported, module+"/")
			if found && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", pkg, ours)
			}
		}
	}
	for pkg := range layers {
		if _, found := packages[pkg]; !found {
			t.Errorf("%s is in the table, and does not exist", pkg)
		}
	}
}

func TestWhatOthersImportNeedsTheStandardLibraryOnly(t *testing.T) {
	for dep := range strings.Lines(
		goList(
			t, `{{if not .Standard}}{{.ImportPath}}{{end}}`, "-deps", "./client", "./wire",
			"./plaintext",
		),
	) {
		if dep = strings.TrimSpace(dep); dep != "" && !strings.HasPrefix(dep, module+"/") {
			t.Errorf("client, wire and plaintext must not need %s", dep)
		}
	}
}

// outside lists the packages of others that only some of ours may import. A prefix stands for all
// packages below it; commands and tests of the whole program (test/) are free.
var outside = []struct{ prefix, mayImport string }{
	{"modernc.org/", "internal/store/sqlite"},
	{"zombiezen.com/", "internal/store/sqlite"},
	{"github.com/jackc/", ""},
	{"github.com/pressly/goose", "internal/store/sqlite"},
	{"database/sql", "internal/store/sqlite"},
	{"net/http", "client internal/api internal/api/apicontract internal/apptest internal/cli " +
		"internal/identity internal/middleware internal/rootkey internal/server"},
}

func TestTheDomainKnowsNoHTTPAndOnlyAStoreKnowsItsDatabase(t *testing.T) {
	for pkg, imports := range ourImports(t) {
		for _, imported := range imports {
			for _, rule := range outside {
				if strings.HasPrefix(imported, rule.prefix) && !strings.HasPrefix(pkg, "test/") &&
					!slices.Contains(strings.Fields(rule.mayImport), pkg) {
					t.Errorf("%s must not import %s", pkg, imported)
				}
			}
		}
	}
}

// The packages that serve requests, and those that operate on a data folder.
var (
	serving   = []string{"api", "broker", "identity", "middleware", "server", "web"}
	operating = []string{"backup", "doctor", "maintenance"}
)

func TestWhatServesDoesNotReachWhatOperates(t *testing.T) {
	for pkg, imports := range ourImports(t) {
		name := strings.TrimPrefix(pkg, "internal/")
		if !slices.Contains(serving, name) {
			continue
		}
		for _, imported := range imports {
			operates := strings.TrimPrefix(imported, module+"/internal/")
			if slices.Contains(operating, operates) {
				t.Errorf("%s must not import %s", pkg, operates)
			}
		}
	}
	for path := range goFiles(t) {
		dir := filepath.Dir(path)
		if filepath.Dir(dir) != "internal" || !slices.Contains(serving, filepath.Base(dir)) ||
			strings.HasSuffix(path, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Operator" {
				t.Errorf("%s must not name the operator's use cases", fset.Position(s.Pos()))
			}
			return true
		})
	}
}

// ourImports returns what each package of the module imports outside of its tests.
func ourImports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "./...")) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[strings.TrimPrefix(pkg, module+"/")] = strings.Fields(imports)
	}
	return all
}

func goList(t *testing.T, format string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(
		t.Context(),
		"go",
		append([]string{"list", "-f", format}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	return string(out)
}

// The budget of a file, in lines.
const (
	maxFile     = 600
	maxMedian   = 150
	maxTestFile = 800
)

func TestFilesStaySmall(t *testing.T) {
	var sizes []int
	for path, lines := range goFiles(t) {
		limit := maxFile
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

func TestNoPackageIsNamedAfterNothing(t *testing.T) {
	for path := range goFiles(t) {
		dir := filepath.Base(filepath.Dir(path))
		if slices.Contains(
			[]string{
				"util", "utils", "common", "helper", "helpers", "manager", "base", "impl", "misc",
			},
			dir,
		) {
			t.Errorf("%s: the folder's name says nothing of what it holds", path)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for path := range goFiles(t) {
		dir := filepath.Dir(path)
		file, err := parser.ParseFile(
			token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly,
		)
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

// goFiles returns the Go files of the module with their numbers of lines.
func goFiles(t *testing.T) map[string]int {
	t.Helper()
	files := map[string]int{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() &&
			(d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		text, err := os.ReadFile(path)
		files[path] = bytes.Count(text, []byte("\n"))
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
		if code := cli.Main(
			t.Context(), []string{"docs", command}, noEnv, strings.NewReader(""), &stdout, &stderr,
		); code != 0 {
			t.Fatalf("keysake docs %s: exit code %d\n%s", command, code, &stderr)
		}
		if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
			t.Errorf("%s is not current: make generate\n%s", page, diff)
		}
	}
}
