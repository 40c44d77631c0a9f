package catalog

import (
	"slices"

	"github.com/keysake/keysake/plaintext"
)

// A Recognition says what a value looks like. It is a guess to tell the user, never a reason to
// refuse a value: formats change without notice. It holds facts of the catalog only, and no part of
// the value.
type Recognition struct {
	Chosen Preset // the preset that the caller named; zero where the catalog has none of that id
	// the provider whose format the value has: the chosen one or another; zero where none
	Matched Preset

	Format string  // the id of that format, in the entry of that provider
	Traits []Trait // of that format
	// from which programs read this kind of key; differs from the preset's for a few
	EnvVarName string

	CutOff bool    // a format with a checksum, and the checksum is wrong or the end is missing
	Paste  []Paste // what seems to have been pasted along; the formats were tried without it
}

// WrongPreset is true where the value has a distinctive format of another provider than the one
// that was chosen, or where none was chosen.
func (r Recognition) WrongPreset() bool { return r.Matched.ID != "" && r.Matched.ID != r.Chosen.ID }

// Recognise tells what v looks like to somebody who is about to save it under the preset of that
// id. An id that the catalog does not have stands for a custom secret: then every provider is
// "another".
//
// The formats of the chosen preset are tried in order, and then the distinctive ones of all others.
// A distinctive match of the chosen preset wins, then one of another provider, then any match of
// the chosen preset: a bare shape such as 40 hexadecimal digits says little. A value that is longer
// than a field's keys can be matches none of its formats.
func (c *Catalog) Recognise(preset string, v plaintext.Value) Recognition {
	key, paste := c.unwrap(v.Reveal())
	chosen, _ := c.provider(preset)
	r := Recognition{Chosen: chosen.preset, Paste: paste}

	own, found := chosen.match(key, false)
	if !found || !own.distinct {
		for _, other := range c.providers {
			if other.preset.ID == preset {
				continue
			}
			if f, ok := other.match(key, true); ok {
				r.take(other.preset, f, key)
				return r
			}
		}
	}
	if found {
		r.take(chosen.preset, own, key)
		return r
	}
	r.CutOff = chosen.cutOff(key)
	return r
}

func (r *Recognition) take(p Preset, f format, key []byte) {
	r.Matched, r.Format, r.Traits, r.EnvVarName = p, f.id, slices.Clone(f.traits), f.envVarName
	r.CutOff = !f.checksumHolds(key)
}

// match returns the first format that key has; with distinct, the first of those that no other
// provider's keys have.
func (p provider) match(key []byte, distinct bool) (format, bool) {
	for _, f := range p.formats {
		if (f.distinct || !distinct) && f.matches(key) {
			return f, true
		}
	}
	return format{}, false
}

// cutOff is true for a key that matches no format, but begins as one with a checksum does: most
// keys that lost their end are too short for the format, so that the checksum itself never gets to
// speak.
func (p provider) cutOff(key []byte) bool {
	return slices.ContainsFunc(p.formats, func(f format) bool {
		return f.checksum != "" && f.begins(key)
	})
}
