package vault

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// A Value is what a secret holds. The zero Value is refused wherever a value is needed.
type Value struct{ plain plaintext.Value }

// NewValue returns the value of these bytes. Invalid: they are none or too many, are not UTF-8, or
// have a NUL, which no environment variable can hold.
func NewValue(v plaintext.Value) (Value, error) {
	if err := checkValue(v); err != nil {
		return Value{}, err
	}
	return Value{v}, nil
}

func checkValue(v plaintext.Value) error {
	broken := func(r Rule, msg string) error { return invalid(Field{"value", r, msg}) }
	switch b := v.Reveal(); {
	case len(b) == 0:
		return broken(TooShort, "Value must not be empty")
	case len(b) > MaxValueBytes:
		return broken(TooLong, fmt.Sprintf("Value must have at most %d bytes", MaxValueBytes))
	case !utf8.Valid(b):
		return broken(GoodValue, "Value must be valid UTF-8")
	case bytes.IndexByte(b, 0) >= 0:
		return broken(GoodValue, "Value must not contain a NUL character")
	}
	return nil
}

// checkPasted refuses a value for a preset that has white space, control or format characters
// anywhere: no provider's key has them. It refuses the zero Value as well.
func checkPasted(v Value) error {
	if err := checkValue(v.plain); err != nil {
		return err
	}
	if bytes.ContainsFunc(v.plain.Reveal(), func(r rune) bool {
		return unicode.IsSpace(r) || isControl(r) || r == utf8.RuneError
	}) {
		return invalid(Field{
			"value", GoodValue,
			"Value must not contain white space or control characters: check what was pasted",
		})
	}
	return nil
}

func (v Value) mask() string { return catalog.Mask(v.plain) }
