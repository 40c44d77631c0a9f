// Package redact replaces values in the output of a program by their masks, as the output streams
// past.
package redact

import (
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// MinLength is the number of characters below which a value is never masked. Shorter ones would hit
// innocent output.
const MinLength = 8

// A Secret is a value and what replaces it.
type Secret struct {
	Value plaintext.Value
	Mask  string
}

// Masks finds the values of some secrets, and the forms that they take in other formats: base64 at
// every alignment, in one line or several, URL-encoded, and escaped as in JSON. It is immutable,
// and so safe for concurrent use.
type Masks struct {
	text, base64 trie
	begins       begins
}

// New returns the masks of these secrets. Values with fewer than [MinLength] characters are left
// out.
func New(secrets []Secret) *Masks {
	m := new(Masks)
	for _, s := range secrets {
		if v := s.Value.Reveal(); utf8.RuneCount(v) >= MinLength {
			text, base64 := forms(v)
			for _, form := range text {
				m.text.add(form, s.Mask)
			}
			for _, form := range base64 {
				m.base64.add(form, s.Mask)
			}
		}
	}
	for _, t := range []*trie{&m.text, &m.base64} {
		t.link()
		m.begins.add(t)
	}
	return m
}

// Empty reports whether there is nothing to mask.
func (m *Masks) Empty() bool { return len(m.text.patterns) == 0 }

// In reports whether a text has a value, in any of its forms.
func (m *Masks) In(text string) bool {
	_, found := m.Finder().Next([]byte(text))
	return found
}
