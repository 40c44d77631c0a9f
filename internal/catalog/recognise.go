package catalog

import (
	"slices"

	"github.com/keysake/keysake/plaintext"
)

// A Recognition says what a value looks like. It is a guess, and never a reason to refuse a value,
// because formats change without notice. It has no part of the value.
type Recognition struct {
	Chosen  Preset // the caller's preset; zero if the catalog does not have it
	Matched Preset // the provider whose format the value has; zero if there is none

	Format     string  // the id of that format
	Traits     []Trait // of that format
	EnvVarName string  // of that format, which may differ from the preset's

	CutOff bool    // the format has a checksum, which is wrong or missing
	Paste  []Paste // what was copied together with the key, and ignored for the match
}

// WrongPreset reports whether the value has a format of another provider than the chosen one.
func (r Recognition) WrongPreset() bool { return r.Matched.ID != "" && r.Matched.ID != r.Chosen.ID }

// Recognise tells what a value looks like that a user is about to save under a preset. An id that
// the catalog does not have stands for a custom secret.
//
// A match of a distinct format of the chosen preset wins, then a match of a distinct format of
// another provider, then any match of the chosen preset: a bare form such as 40 hexadecimal digits
// says little.
func (c *Catalog) Recognise(preset string, v plaintext.Value) Recognition {
	key, paste := c.stripPaste(v.Reveal())
	chosen, _ := c.provider(preset)
	r := Recognition{Chosen: chosen.preset, Paste: paste}

	own, found := chosen.match(key, false)
	if !found || !own.distinct {
		for _, other := range c.providers {
			if other.preset.ID == preset {
				continue
			}
			if f, ok := other.match(key, true); ok {
				r.set(other.preset, f, key)
				return r
			}
		}
	}
	if found {
		r.set(chosen.preset, own, key)
		return r
	}
	r.CutOff = chosen.cutOff(key)
	return r
}

// FormatOf returns the format of a value that is a key of this provider: it may say how the key is
// attached, and which check it takes. It must not be changed.
func (c *Catalog) FormatOf(preset string, v plaintext.Value) (Format, bool) {
	own, _ := c.provider(preset)
	f, found := own.match(v.Reveal(), false)
	return f.described, found
}

// Prefixes returns with what keys of this provider, and of no other one, begin.
func (c *Catalog) Prefixes(preset string) []string {
	var prefixes []string
	own, _ := c.provider(preset)
	for _, f := range own.formats {
		prefix := string(f.prefix)
		if f.distinct && prefix != "" && !slices.Contains(prefixes, prefix) {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

func (r *Recognition) set(p Preset, f format, key []byte) {
	r.Matched, r.Format, r.Traits, r.EnvVarName = p, f.id, slices.Clone(f.traits), f.envVarName
	r.CutOff = !f.checksumHolds(key)
}

// match returns the first format that matches the key; with distinct, the first that no key of
// another provider matches.
func (p provider) match(key []byte, distinct bool) (format, bool) {
	for _, f := range p.formats {
		if (f.distinct || !distinct) && f.matches(key) {
			return f, true
		}
	}
	return format{}, false
}

// cutOff reports whether a key without a match begins like one of a format with a checksum. Most
// truncated keys are too short for their format, so their checksum is never computed.
func (p provider) cutOff(key []byte) bool {
	return slices.ContainsFunc(p.formats, func(f format) bool {
		return f.checksum != "" && f.hasPrefix(key)
	})
}
