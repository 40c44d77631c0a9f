// Command gen makes internal/catalog/catalog.json.gz and names.json from the YAML files in
// providers/. go generate runs it in the folder of the catalog. It writes nothing if
// [catalog.Parse] refuses what they say. What no program needs, as the sources of the facts, stays
// in the YAML files.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/catalog/presetfile"
)

// order lists the providers in the order of the presets. The contract fixes the first four; those
// of which more is certain follow first.
func order() []string {
	return []string{
		"openai", "anthropic", "github", "tinker",

		"cohere", "groq", "openrouter", "deepseek", "xai", "google_gemini", "huggingface",
		"replicate", "elevenlabs", "e2b", "langsmith", "langfuse", "pinecone", "tavily", "gitlab",
		"linear", "slack", "notion", "stripe", "sentry", "datadog", "cloudflare", "dockerhub",

		"azure_openai", "aws_bedrock", "mistral", "together", "perplexity", "nvidia", "wandb",
		"firecrawl", "dreadnode",

		"fireworks", "modal", "daytona", "brave_search", "exa", "serper",
	}
}

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
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// generate returns what the generated files must hold, by their names.
func generate(folder fs.FS) (map[string][]byte, error) {
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
		if entries[i], err = presetfile.Read(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if entries[i].ID != id {
			return nil, errors.New(file + ": id: must match the name of the file")
		}
	}
	return encode(entries)
}

func encode(entries []catalog.Entry) (map[string][]byte, error) {
	whole, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	if _, err := catalog.Parse(whole); err != nil {
		return nil, err
	}
	names := make([]catalog.Named, len(entries))
	for i := range entries {
		entries[i].Sources, entries[i].Unverified = catalog.Sources{}, nil
		names[i] = catalog.NamesOf(entries[i])
	}
	short, err := lines(entries)
	if err != nil {
		return nil, err
	}
	named, err := lines(names)
	if err != nil {
		return nil, err
	}
	small, err := compress(short)
	return map[string][]byte{"catalog.json.gz": small, "names.json": named}, err
}

// compress makes the program smaller by 50 KB.
func compress(text []byte) ([]byte, error) {
	var made bytes.Buffer
	w, err := gzip.NewWriterLevel(&made, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return made.Bytes(), err
}

// lines writes each item on a line of its own, so that a change of one is one line.
func lines[T any](items []T) ([]byte, error) {
	var made bytes.Buffer
	e := json.NewEncoder(&made)
	e.SetEscapeHTML(false)
	for i, item := range items {
		made.WriteByte("[,"[min(i, 1)])
		if err := e.Encode(item); err != nil {
			return nil, err
		}
	}
	made.WriteString("]\n")
	return made.Bytes(), nil
}
