package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/catalog/presetfile"
)

// folder returns a copy of the providers' files that a test may change.
func folder(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, id := range order() {
		name := "providers/" + id + ".yaml"
		text, err := fs.ReadFile(os.DirFS(".."), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}

// plain returns what is compressed: that Go's next release may compress in another way.
func plain(t *testing.T, text []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(text))
	if errors.Is(err, gzip.ErrHeader) {
		return text
	}
	if err == nil {
		text, err = io.ReadAll(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheGeneratedFilesAreWhatTheProvidersSay(t *testing.T) {
	made, err := generate(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range made {
		kept, err := os.ReadFile("../" + name)
		if err != nil || string(plain(t, text)) != string(plain(t, kept)) {
			t.Errorf("%s is not current: run go generate ./internal/catalog; %v", name, err)
		}
	}
}

func TestAFileThatAnEntryCannotHoldIsRefused(t *testing.T) {
	for name, edit := range map[string]struct{ old, new, why string }{
		"an unknown field":         {"schema: 1", "schema: 1\ncolour: red", "colour"},
		"an unknown inner field":   {"label: API key", "label: API key\n    colour: red", "colour"},
		"a field in another case":  {"category:", "Category:", "wrong case"},
		"an inner one":             {"label: API key", "Label: API key", "wrong case"},
		"a field twice":            {"schema: 1", "schema: 1\nschema: 1", "already defined"},
		"a field of another type":  {"schema: 1", "schema: one", "schema"},
		"a key that is no text":    {"schema: 1", "schema: 1\n1: 2", "not a text"},
		"a second document":        {"schema: 1", "schema: 1\n---\nschema: 1", "data after"},
		"an unknown anchor":        {"*openai_rules", "*other_rules", "other_rules"},
		"no YAML":                  {"schema: 1", "schema: [", "yaml"},
		"a fault of the entry":     {"name: OpenAI", "name: ''", "openai: name: "},
		"the name of another file": {"id: openai", "id: acme", "providers/openai.yaml: id: "},
	} {
		files := folder(t)
		const file = "providers/openai.yaml"
		files[file].Data = []byte(strings.Replace(string(files[file].Data), edit.old, edit.new, 1))
		if made, err := generate(files); err == nil || !strings.Contains(err.Error(), edit.why) ||
			made != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestEveryFileHasItsPlaceInTheOrder(t *testing.T) {
	missing := folder(t)
	delete(missing, "providers/tinker.yaml")
	extra := folder(t)
	extra["providers/acme.yaml"] = extra["providers/openai.yaml"]
	other := folder(t)
	other["providers/notes.txt"] = &fstest.MapFile{}
	for name, files := range map[string]fs.FS{
		"tinker.yaml": missing, "acme.yaml": extra, "notes.txt": other,
	} {
		if _, err := generate(files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestADateIsKeptAsItIsWritten(t *testing.T) {
	e, err := presetfile.Read([]byte("checked: 2026-11-23\nunverified: &u [a]\nfields: []\n"))
	if err != nil || e.Checked != "2026-11-23" {
		t.Errorf("got %q, %v", e.Checked, err)
	}
}

func TestNothingIsWrittenOfABrokenCatalog(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, folder(t)); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir + "/catalog.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	var entries []catalog.Entry
	if err := json.Unmarshal(plain(t, text), &entries); err != nil || len(entries) != len(order()) {
		t.Errorf("what was written is no catalog: %v", err)
	}
	if err := os.WriteFile(
		dir+"/providers/openai.yaml", []byte("schema: 2\nid: openai\n"), 0o600,
	); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err == nil {
		t.Error("a broken catalog was written")
	}
	if now, err := os.ReadFile(dir + "/catalog.json.gz"); err != nil || !bytes.Equal(now, text) {
		t.Errorf("the file was changed: %v", err)
	}
}
