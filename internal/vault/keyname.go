package vault

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A KeyName is what a person calls an API key. The zero KeyName stands for a key without a name.
type KeyName struct{ text string }

// NewKeyName returns the name of that text, the zero KeyName for an empty one. Invalid: it is too
// long, or has characters that a terminal would obey.
func NewKeyName(text string) (KeyName, error) {
	broken := func(r Rule, msg string) error { return invalid(Field{"name", r, msg}) }
	switch {
	case utf8.RuneCountInString(text) > maxKeyName:
		return KeyName{}, broken(TooLong,
			fmt.Sprintf("Must have at most %d characters", maxKeyName))
	case strings.ContainsFunc(text, isControl):
		return KeyName{}, broken(Pattern, "Must not contain control characters")
	}
	return KeyName{text}, nil
}

func (n KeyName) String() string { return n.text }

// isControl reports whether a terminal or a log reader could obey r: control and format characters,
// among them those that turn the direction of text.
func isControl(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
