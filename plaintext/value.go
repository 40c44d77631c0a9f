// Package plaintext has the one type that holds a secret value in the clear.
//
// A [Value] cannot be printed: fmt, log/slog, encoding/json and users of encoding.TextMarshaler get
// [Redacted]. This is also true of a Value in an unexported field, for which fmt calls no methods:
// the bytes are in a closure, into which reflection cannot look.
package plaintext

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is printed in place of a Value.
const Redacted = "[redacted]"

// ErrNotString means that a JSON document has something other than a string in place of a Value. It
// does not quote the document.
var ErrNotString = errors.New("plaintext: a value must be a JSON string")

// A Value is a secret value in the clear. The zero Value is empty. It cannot be compared with ==.
type Value struct {
	open func() []byte
}

// New returns a Value that holds a copy of b.
func New(b []byte) Value { return Own(append([]byte(nil), b...)) }

// Own returns a Value that holds b itself. The caller must not use b again.
func Own(b []byte) Value { return Value{open: func() []byte { return b }} }

// FromString returns a Value that holds s.
func FromString(s string) Value { return Own([]byte(s)) }

// Reveal returns the bytes themselves. The caller must not change them, and must not put them into
// a response, a log, an error, a file or an argument list. Every call deserves a review.
func (v Value) Reveal() []byte {
	if v.open == nil {
		return nil
	}
	return v.open()
}

// Len returns the number of bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// Equal compares two values of the same length in constant time.
func (v Value) Equal(other Value) bool {
	return subtle.ConstantTimeCompare(v.Reveal(), other.Reveal()) == 1
}

// Format implements [fmt.Formatter]: every verb prints [Redacted].
func (v Value) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, Redacted) // a Formatter cannot return an error
}

// LogValue implements [slog.LogValuer].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON implements [json.Marshaler]: it returns the string [Redacted].
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// MarshalText implements [encoding.TextMarshaler]: it returns [Redacted].
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalJSON sets the value from a JSON string, of which the decoder has checked the syntax and
// UTF-8. [ErrNotString]: it is not a string.
func (v *Value) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return ErrNotString
	}
	*v = FromString(*s)
	return nil
}
