// Package catalog knows the providers: the environment variable for a key, the formats of keys, how
// to check whether a key works, and how to attach one to a request. It also computes masks.
//
// The facts are data: one YAML file per provider in providers/, which go generate checks and turns
// into the embedded catalog.json.gz. The package reads no files but those of [ReadFolder], and only
// [Mask] returns any part of a value: no error, hint or other result does.
package catalog

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

//go:generate go run ./gen

//go:embed catalog.json.gz
var embedded []byte

// A Catalog has the presets and recognises their keys. It is immutable, and so safe for concurrent
// use.
type Catalog struct {
	providers []provider
	envNames  map[string]struct{} // variables of fields and formats
}

// A Preset is a provider that a secret can be created for.
type Preset struct {
	ID         string // of the provider; never changes
	Name       string // for people
	EnvVarName string // environment variable of the secret
	Category   string // such as ai-inference
	Docs       string // https URL of the documentation
	CreateKey  string // https URL of the page where a user creates a key
}

// A provider is an entry with its formats, which are compiled when they are needed.
type provider struct {
	entry   Entry
	preset  Preset
	formats []format
}

// Load returns the embedded catalog, which go generate has checked. It fails only in a broken
// build, which the tests prevent.
func Load() (*Catalog, error) {
	var entries []Entry
	text, err := gzip.NewReader(bytes.NewReader(embedded))
	if err == nil {
		err = json.NewDecoder(text).Decode(&entries)
	}
	if err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	return build(entries), nil
}

// Parse reads a catalog: a JSON array of [Entry], in the order of the presets.
//
// It refuses unknown fields, and every entry that breaks a rule of the schema. For example, an
// example key must match its own format first, a check must not send a key to a host where the
// entry does not attach it, and every fact needs a source or a note that it has none. The error
// lists all faults, each with its entry and field.
func Parse(data []byte) (*Catalog, error) {
	entries, err := decode(data)
	if err != nil {
		return nil, err
	}
	var faults []error
	for i, e := range entries {
		at := location{entry: cmp.Or(e.ID, fmt.Sprintf("entry %d", i)), faults: &faults}
		checkEntry(at, e)
		checkSources(at, e)
	}
	c := build(entries)
	checkAll(entries, c.providers, &faults)
	if len(faults) > 0 {
		return nil, fmt.Errorf("catalog: %w", errors.Join(faults...))
	}
	return c, nil
}

func build(entries []Entry) *Catalog {
	c := &Catalog{envNames: make(map[string]struct{})}
	for _, e := range entries {
		c.providers = append(c.providers, newProvider(e))
		c.addEnvNames(e)
	}
	return c
}

func decode(data []byte) ([]Entry, error) {
	var entries []Entry
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("catalog: there is data after the entries")
	}
	if len(entries) == 0 {
		return nil, errors.New("catalog: there is no entry")
	}
	return entries, nil
}

func newProvider(e Entry) provider {
	p := provider{entry: e, preset: Preset{
		ID: e.ID, Name: e.Name, Category: e.Category, Docs: e.Docs, CreateKey: e.CreateKey,
	}}
	for _, f := range e.Fields {
		if f.Secret && f.Required {
			p.preset.EnvVarName = f.Env
		}
		for _, described := range f.Formats {
			p.formats = append(p.formats, newFormat(f, described))
		}
	}
	return p
}

func (c *Catalog) addEnvNames(e Entry) {
	for _, f := range e.Fields {
		for _, name := range f.variables() {
			c.envNames[name] = struct{}{}
		}
	}
}

// Presets returns all presets in a new slice. The first four are openai, anthropic, github and
// tinker, as the contract says.
func (c *Catalog) Presets() []Preset {
	presets := make([]Preset, len(c.providers))
	for i, p := range c.providers {
		presets[i] = p.preset
	}
	return presets
}

// Preset returns the preset with this exact id.
func (c *Catalog) Preset(id string) (Preset, bool) {
	p, ok := c.provider(id)
	return p.preset, ok
}

// PresetNamed returns the preset whose secret has this name.
func (c *Catalog) PresetNamed(envVarName string) (Preset, bool) {
	for _, p := range c.providers {
		if p.preset.EnvVarName == envVarName {
			return p.preset, true
		}
	}
	return Preset{}, false
}

// ProvidersOf returns the ids of the providers whose keys programs find in a variable.
func (c *Catalog) ProvidersOf(variable string) (ids []string) {
	for _, p := range c.providers {
		if slices.ContainsFunc(p.entry.Fields, func(f Field) bool {
			return f.Secret && slices.Contains(f.variables(), variable)
		}) {
			ids = append(ids, p.entry.ID)
		}
	}
	return ids
}

// Entry returns all facts about the provider with this exact id. They must not be changed.
func (c *Catalog) Entry(id string) (Entry, bool) {
	p, ok := c.provider(id)
	return p.entry, ok
}

func (c *Catalog) provider(id string) (provider, bool) {
	for _, p := range c.providers {
		if p.preset.ID == id {
			return p, true
		}
	}
	return provider{}, false
}
