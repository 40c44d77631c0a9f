package environ

import (
	"slices"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// Scheme is what a reference to a secret begins with: keysake://NAME.
const Scheme = "keysake://"

// A Template is a text with references to secrets in it.
type Template struct{ parts []part }

// A part is a text, or the name of a secret.
type part struct {
	text   string
	secret bool
}

// NewTemplate finds the references in a text. A name ends where a character stands that no name
// has. [Scheme] without a name after it is a text.
func NewTemplate(text string) Template {
	var t Template
	for {
		before, after, found := strings.Cut(text, Scheme)
		if !found {
			return t.with(text, false)
		}
		end := strings.IndexFunc(after, func(r rune) bool { return !inName(r) })
		if end < 0 {
			end = len(after)
		}
		if end == 0 || after[0] >= '0' && after[0] <= '9' {
			t = t.with(before+Scheme, false)
			text = after
			continue
		}
		t = t.with(before, false).with(after[:end], true)
		text = after[end:]
	}
}

func (t Template) with(text string, secret bool) Template {
	if text != "" {
		t.parts = append(t.parts, part{text, secret})
	}
	return t
}

func inName(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// Secrets returns the names of the secrets that it refers to, in their order, each once.
func (t Template) Secrets() []string {
	var names []string
	for _, p := range t.parts {
		if p.secret && !slices.Contains(names, p.text) {
			names = append(names, p.text)
		}
	}
	return names
}

// Fill returns the text with each reference replaced by what value returns for its name. What was
// filled in is not read again.
func (t Template) Fill(value func(name string) plaintext.Value) plaintext.Value {
	var b []byte
	for _, p := range t.parts {
		if p.secret {
			b = append(b, value(p.text).Reveal()...)
		} else {
			b = append(b, p.text...)
		}
	}
	return plaintext.Own(b)
}
