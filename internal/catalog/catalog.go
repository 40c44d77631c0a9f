// Package catalog knows the providers: which environment variable a provider's key becomes, how its
// keys look, how to ask whether one works, how to put one on a request. It computes the mask that
// stands for a value, too.
//
// The facts are data: one YAML file per provider in providers/, which go generate checks and turns
// into the embedded catalog.json. Everything here is pure. Nothing is asked of the network, nothing
// is logged, and no error, hint or result of this package has any part of a value in it; the one
// exception is [Mask], whose purpose that is. The package imports the standard library and the
// plaintext leaf only.
package catalog

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

//go:generate go run ./gen

//go:embed catalog.json
var embedded []byte

// A Catalog has the presets and recognises their keys. It never changes, so that any number of
// goroutines may use one.
type Catalog struct {
	providers []provider
	envNames  map[string]struct{} // every variable that an entry names for a field or a format
}

// A Preset is what a secret can be created from.
type Preset struct {
	ID         string // what the API calls the provider; never changes
	Name       string // for people
	EnvVarName string // the variable that the secret becomes
	Docs       string // https URL of the provider's documentation
	CreateKey  string // https URL of the page where a user makes a key
}

// A provider is an entry with its formats compiled.
type provider struct {
	preset  Preset
	formats []format
}

// Load returns the catalog that this program was built with. An error means that the build is
// broken: go generate and the tests refuse such a catalog before.
func Load() (*Catalog, error) { return Parse(embedded) }

// Parse reads a catalog in the form of catalog.json, an array of [Entry], whose order is the order
// of the presets.
//
// It refuses unknown fields and every entry that breaks a rule of the schema: a format that its own
// example does not match first or that matches another provider's, a check that would send a key to
// a host where the entry does not attach one, a fact without a source that does not say so, and so
// on. The error tells of all faults, each by entry and field.
func Parse(data []byte) (*Catalog, error) {
	entries, err := decode(data)
	if err != nil {
		return nil, err
	}
	var faults []error
	c := &Catalog{envNames: make(map[string]struct{})}
	for i, e := range entries {
		at := place{entry: cmp.Or(e.ID, fmt.Sprintf("entry %d", i)), faults: &faults}
		checkEntry(at, e)
		c.providers = append(c.providers, compile(at, e))
		c.addEnvNames(e)
	}
	checkTogether(entries, c.providers, &faults)
	if len(faults) > 0 {
		return nil, fmt.Errorf("catalog: %w", errors.Join(faults...))
	}
	return c, nil
}

func decode(data []byte) ([]Entry, error) {
	var entries []Entry
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&entries); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("catalog: something follows the entries")
	}
	if len(entries) == 0 {
		return nil, errors.New("catalog: there is no entry")
	}
	return entries, nil
}

// compile makes the parts of an entry that are used at run time. A fault that keeps a format from
// being compiled is reported, and the format left out.
func compile(at place, e Entry) provider {
	p := provider{preset: Preset{ID: e.ID, Name: e.Name, Docs: e.Docs, CreateKey: e.CreateKey}}
	for _, f := range e.Fields {
		if f.Secret && f.Required {
			p.preset.EnvVarName = f.Env
		}
		for _, described := range f.Formats {
			if compiled, ok := compileFormat(
				at.in("fields[%s].formats[%s]", f.ID, described.ID), f, described,
			); ok {
				p.formats = append(p.formats, compiled)
			}
		}
	}
	return p
}

func (c *Catalog) addEnvNames(e Entry) {
	add := func(names ...string) {
		for _, n := range names {
			c.envNames[n] = struct{}{}
		}
	}
	for _, f := range e.Fields {
		add(f.Env)
		add(f.EnvAliases...)
		for _, format := range f.Formats {
			add(format.Env)
			add(format.EnvAliases...)
		}
	}
	delete(c.envNames, "")
}

// Presets returns all presets. The contract fixes the order of the first four: openai, anthropic,
// github, tinker. The slice is the caller's own.
func (c *Catalog) Presets() []Preset {
	presets := make([]Preset, len(c.providers))
	for i, p := range c.providers {
		presets[i] = p.preset
	}
	return presets
}

// Preset returns the preset of that id. Ids are compared exactly.
func (c *Catalog) Preset(id string) (Preset, bool) {
	p, ok := c.provider(id)
	return p.preset, ok
}

func (c *Catalog) provider(id string) (provider, bool) {
	for _, p := range c.providers {
		if p.preset.ID == id {
			return p, true
		}
	}
	return provider{}, false
}
