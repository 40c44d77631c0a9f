package catalog

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
)

// Names are the variables of the presets. They are there sooner than a [Catalog], and a command
// that runs another one needs no more.
type Names struct {
	presets []Preset
	aliases map[string][]string
}

// Named are the names of one provider, as names.json has them.
type Named struct {
	ID      string              `json:"id"`
	Name    string              `json:"name"`
	Env     string              `json:"env"`
	Aliases map[string][]string `json:"aliases,omitempty"`
}

//go:embed names.json
var embeddedNames []byte

// NamesOf returns the names of a provider.
func NamesOf(e Entry) Named {
	n := Named{ID: e.ID, Name: e.Name, Aliases: map[string][]string{}}
	alias := func(name string, aliases []string) {
		if len(aliases) > 0 {
			n.Aliases[name] = append(n.Aliases[name], aliases...)
		}
	}
	for _, f := range e.Fields {
		if f.Secret && f.Required {
			n.Env = f.Env
		}
		alias(f.Env, f.EnvAliases)
		for _, format := range f.Formats {
			alias(cmp.Or(format.Env, f.Env), format.EnvAliases)
		}
	}
	return n
}

// LoadNames reads the names of the embedded catalog.
func LoadNames() (*Names, error) {
	var named []Named
	if err := json.Unmarshal(embeddedNames, &named); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	n := &Names{aliases: map[string][]string{}}
	for _, e := range named {
		n.presets = append(n.presets, Preset{ID: e.ID, Name: e.Name, EnvVarName: e.Env})
		for name, aliases := range e.Aliases {
			n.aliases[name] = append(n.aliases[name], aliases...)
		}
	}
	return n, nil
}

// Preset returns the ID, name and variable of the preset with this exact id.
func (n *Names) Preset(id string) (Preset, bool) {
	i := slices.IndexFunc(n.presets, func(p Preset) bool { return p.ID == id })
	if i < 0 {
		return Preset{}, false
	}
	return n.presets[i], true
}

// Aliases returns the variables that programs read as well as, or before, the one of this name.
func (n *Names) Aliases(name string) []string { return slices.Clone(n.aliases[name]) }
