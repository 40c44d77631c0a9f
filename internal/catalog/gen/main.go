// Command gen makes internal/catalog/catalog.json from the YAML files in providers/. go generate
// runs it in the folder of the catalog. It writes nothing if [catalog.Parse] refuses the result.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// order lists the providers in the order of the presets. The contract fixes the first four.
func order() []string { return []string{"openai", "anthropic", "github", "tinker"} }

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	made, err := generate(os.DirFS(folder))
	if err != nil {
		return err
	}
	return os.WriteFile(folder+"/catalog.json", made, 0o600)
}

// generate returns what catalog.json must hold.
func generate(folder fs.FS) ([]byte, error) {
	files, err := fs.Glob(folder, "providers/*")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name := strings.TrimPrefix(file, "providers/")
		if id, isYAML := strings.CutSuffix(name, ".yaml"); !isYAML ||
			!slices.Contains(order(), id) {
			return nil, fmt.Errorf("%s is not in the order of the presets: add it there", file)
		}
	}
	entries := make([]catalog.Entry, len(order()))
	for i, id := range order() {
		file := "providers/" + id + ".yaml"
		text, err := fs.ReadFile(folder, file)
		if err != nil {
			return nil, err
		}
		if entries[i], err = readEntry(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if entries[i].ID != id {
			return nil, errors.New(file + ": id: must match the name of the file")
		}
	}
	return encode(entries)
}

func encode(entries []catalog.Entry) ([]byte, error) {
	var made bytes.Buffer
	e := json.NewEncoder(&made)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(entries); err != nil {
		return nil, err
	}
	if _, err := catalog.Parse(made.Bytes()); err != nil {
		return nil, err
	}
	return made.Bytes(), nil
}
