package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Names are the variables of the presets. They are there much sooner than a [Catalog], which
// compiles and checks everything, and a command that runs another one needs no more.
type Names struct {
	presets []Preset
	aliases map[string][]string
}

// LoadNames reads the names in the embedded catalog.
func LoadNames() (*Names, error) {
	var entries []struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Fields []struct {
			Env        string   `json:"env"`
			EnvAliases []string `json:"env_aliases"`
			Secret     bool     `json:"secret"`
			Required   bool     `json:"required"`
			Formats    []struct {
				Env        string   `json:"env"`
				EnvAliases []string `json:"env_aliases"`
			} `json:"formats"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(embedded, &entries); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	n := &Names{aliases: map[string][]string{}}
	for _, e := range entries {
		p := Preset{ID: e.ID, Name: e.Name}
		for _, f := range e.Fields {
			if f.Secret && f.Required {
				p.EnvVarName = f.Env
			}
			n.alias(f.Env, f.EnvAliases)
			for _, format := range f.Formats {
				n.alias(cmp.Or(format.Env, f.Env), format.EnvAliases)
			}
		}
		n.presets = append(n.presets, p)
	}
	return n, nil
}

func (n *Names) alias(name string, aliases []string) {
	n.aliases[name] = append(n.aliases[name], aliases...)
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
