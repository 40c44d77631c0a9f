// Package keysake_test holds the shape of the code: who imports whom, how large a file and how long
// a line may be, and that generated pages are current.
package keysake_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/keysake/keysake"

// layers lists what each package may import of this module. A package that is not listed may import
// nothing of ours; a new edge is a reviewed line here. Tests may import apptest and whatever they
// test.
var layers = map[string]string{
	"plaintext":       "",
	"wire":            "plaintext",
	"bundle":          "plaintext",
	"client":          "bundle plaintext wire",
	"internal/audit":  "",
	"internal/anchor": "internal/audit internal/seal",
	"internal/policy": "",
	"internal/backup": "",
	"internal/doctor": "internal/anchor internal/audit internal/backup internal/seal " +
		"internal/store internal/vault",
	"internal/seal":        "plaintext",
	"internal/redact":      "plaintext",
	"internal/dotenv":      "plaintext",
	"internal/environ":     "plaintext",
	"internal/duplex":      "",
	"internal/relay":       "internal/duplex internal/peer",
	"internal/peer":        "",
	"internal/memfile":     "plaintext",
	"internal/project":     "",
	"internal/child":       "",
	"internal/base62":      "",
	"internal/privatefile": "",
	"internal/catalog":     "internal/base62 plaintext",
	"internal/catalog/gen": "internal/catalog " +
		"internal/catalog/presetfile",
	"internal/catalog/presetfile": "internal/catalog",
	"internal/middleware":         "",
	"internal/netguard":           "",
	"internal/probe":              "internal/catalog plaintext",
	"internal/webhook":            "internal/privatefile plaintext",
	"internal/vault": "bundle internal/anchor internal/audit internal/base62 internal/catalog " +
		"internal/policy internal/seal plaintext",
	"internal/store": "internal/audit internal/backup internal/policy internal/seal " +
		"internal/vault",
	"internal/store/sqlite": "internal/backup internal/store internal/store/sqlite/engine " +
		"internal/vault",
	"internal/store/sqlite/engine":   "",
	"internal/store/postgres":        "internal/backup internal/store internal/vault",
	"internal/store/postgres/pgtest": "internal/store/postgres",
	"internal/store/storetest": "internal/audit internal/policy internal/seal internal/store " +
		"internal/vault",
	"internal/vault/vaulttest":   "bundle internal/vault plaintext",
	"internal/identity":          "internal/vault plaintext",
	"internal/issuer":            "internal/vault plaintext",
	"internal/issuer/issuertest": "",
	"internal/passkey":           "internal/vault",
	"internal/api": "bundle internal/audit internal/identity internal/middleware internal/vault " +
		"plaintext wire",
	"internal/api/apicontract":     "",
	"internal/keyring":             "internal/peer plaintext",
	"internal/keyring/keyringtest": "",
	"internal/keyurl":              "",
	"internal/kmspipe":             "",
	"internal/kms":                 "internal/keyurl internal/kmspipe",
	"internal/rootkey": "internal/keyurl internal/kmspipe internal/netguard " +
		"internal/privatefile internal/seal plaintext",
	"internal/config":   "",
	"internal/keysfile": "internal/privatefile internal/rootkey",
	"internal/floors":   "internal/privatefile",
	"internal/instance": "internal/audit internal/backup internal/catalog internal/config " +
		"internal/floors internal/keysfile " +
		"internal/kmspipe internal/policy internal/rootkey internal/privatefile internal/seal " +
		"internal/store/postgres internal/store/sqlite internal/vault plaintext",
	"internal/maintenance": "internal/anchor internal/audit internal/backup internal/config " +
		"internal/doctor internal/floors internal/instance internal/issuer internal/netguard " +
		"internal/policy internal/privatefile internal/rootkey internal/seal internal/store " +
		"internal/store/postgres internal/store/sqlite internal/vault internal/webhook plaintext",
	"internal/broker": "internal/catalog internal/duplex internal/netguard internal/probe " +
		"internal/redact internal/vault plaintext",
	"internal/server": "internal/api internal/broker internal/catalog internal/config " +
		"internal/identity internal/instance internal/issuer internal/middleware " +
		"internal/netguard internal/passkey internal/probe internal/process internal/rootkey " +
		"internal/vault internal/web internal/webhook plaintext",
	"internal/web": "internal/api internal/audit internal/broker internal/config " +
		"internal/dotenv internal/identity internal/issuer internal/middleware " +
		"internal/passkey internal/vault plaintext",
	"internal/cli": "bundle client internal/audit internal/broker internal/catalog " +
		"internal/child internal/config internal/doctor internal/dotenv internal/environ " +
		"internal/instance internal/keyring internal/maintenance internal/memfile " +
		"internal/policy internal/privatefile internal/project internal/redact " +
		"internal/relay internal/rootkey internal/server internal/vault plaintext wire",
	"internal/apptest": "client internal/config internal/server plaintext wire",
	"keysaketest":      "client internal/apptest plaintext",
	"internal/process": "",
	"test/load":        "test/figures",
	"test/bench": "bundle internal/store/postgres/pgtest internal/store/sqlite " +
		"internal/store/sqlite/engine test/figures test/load",
	"test/soak":   "bundle test/figures test/load",
	"test/stages": "internal/apptest test/figures test/load",
	"test/primary": "bundle client internal/apptest internal/store/postgres/pgtest plaintext " +
		"test/load wire",
	"test/charts":     "test/figures",
	"test/standin":    "",
	"test/demo":       "test/standin",
	"cmd/keysake":     "internal/cli internal/process",
	"cmd/keysake-kms": "internal/kms internal/kmspipe internal/process",
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
			"./plaintext", "./bundle",
		),
	) {
		if dep = strings.TrimSpace(dep); dep != "" && !strings.HasPrefix(dep, module+"/") {
			t.Errorf("client, wire, plaintext and bundle must not need %s", dep)
		}
	}
}

// outside lists the packages of others that only some of ours may import. A prefix stands for all
// packages below it; commands and tests of the whole program (test/) are free.
var outside = []struct{ prefix, mayImport string }{
	{"modernc.org/", "internal/store/sqlite internal/store/sqlite/engine"},
	{"github.com/jackc/", "internal/store/postgres internal/store/postgres/pgtest"},
	{"database/sql", ""},
	{"github.com/godbus/", "internal/keyring internal/keyring/keyringtest"},
	{"github.com/zalando/", "internal/keyring"},
	{"github.com/go-webauthn/", "internal/passkey"},
	{"net/http", "client internal/broker " +
		"internal/api internal/api/apicontract internal/apptest internal/cli " +
		"internal/duplex internal/identity internal/issuer internal/issuer/issuertest " +
		"internal/middleware " +
		"internal/netguard internal/probe internal/relay " +
		"internal/rootkey internal/server internal/web internal/webhook"},
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

// clouds are the modules of key services. They link hundreds of packages, of which some start other
// programs: they are for keysake-kms alone.
var clouds = []string{
	"cloud.google.com/", "github.com/Azure/", "github.com/AzureAD/", "github.com/aws/",
	"github.com/google/wire", "github.com/googleapis/", "github.com/hashicorp/vault",
	"gocloud.dev", "google.golang.org/api", "google.golang.org/grpc", "golang.org/x/oauth2",
	module + "/internal/kms",
}

// starters may import os/exec in the program that serves: ours for keysake-kms; what SQLite is
// translated to, of which nothing calls system or popen; and what speaks with keyrings, of which
// nothing starts a bus, and on macOS a command of the command line alone starts /usr/bin/security.
var starters = []string{
	module + "/internal/kmspipe", "modernc.org/libc", "github.com/godbus/dbus/v5",
	"github.com/zalando/go-keyring",
}

func TestTheProgramThatServesLinksNoCloudAndStartsOneProgram(t *testing.T) {
	deps := goList(t, `{{.ImportPath}} {{join .Imports " "}}`, "-deps", "./cmd/keysake")
	for line := range strings.Lines(deps) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, prefix := range clouds {
			if pkg == strings.TrimSuffix(prefix, "/") ||
				strings.HasPrefix(pkg, strings.TrimSuffix(prefix, "/")+"/") {
				t.Errorf("cmd/keysake must not link %s", pkg)
			}
		}
		if slices.Contains(strings.Fields(imports), "os/exec") && !slices.Contains(starters, pkg) {
			t.Errorf("%s must not start programs", pkg)
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
