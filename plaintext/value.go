// Package plaintext has the one type that holds a secret value in the clear.
//
// A [Value] cannot be printed: fmt, log/slog, encoding/json and encoding.TextMarshaler users all
// get [Redacted], also when the Value sits in an unexported field of something else that is
// printed, where fmt calls no methods. That is why it is a closure and not a byte slice: reflection
// can walk a slice, and cannot look into a function.
//
// The package is a leaf that every layer may import; it imports only the standard library.
package plaintext

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted stands wherever a Value was printed.
const Redacted = "[redacted]"

// ErrNotString says that a JSON document had something other than a string in the place of a Value.
// It never quotes its input.
var ErrNotString = errors.New("plaintext: a value must be a JSON string")

// A Value is a secret value in the clear. The zero Value is empty.
// It must not be compared with ==, which does not compile.
type Value struct {
	open func() []byte
}

// New returns a Value that holds a copy of b.
func New(b []byte) Value { return Own(append([]byte(nil), b...)) }

// Own returns a Value that holds b itself, which from now on belongs to the Value: the caller must
// not use it again.
func Own(b []byte) Value { return Value{open: func() []byte { return b }} }

// FromString returns a Value that holds s.
func FromString(s string) Value { return Own([]byte(s)) }

// Reveal returns the bytes themselves. The caller must not change them, and must not let them reach
// an answer, a log, an error, a file or an argument list. Every call is a place to review: there
// are few on purpose.
func (v Value) Reveal() []byte {
	if v.open == nil {
		return nil
	}
	return v.open()
}

// Len returns the number of bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// Format implements [fmt.Formatter]: every verb prints [Redacted].
func (v Value) Format(w fmt.State, _ rune) {
	// The error is fmt's own writer's; a Formatter has nobody to give it to.
	_, _ = io.WriteString(w, Redacted)
}

// LogValue implements [slog.LogValuer].
func (v Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON implements [json.Marshaler]: the answer is the string [Redacted].
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(Redacted) }

// MarshalText implements [encoding.TextMarshaler]: the answer is [Redacted].
func (v Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalJSON takes the value from a JSON string. The caller's decoder has checked the syntax and
// the UTF-8 before. Anything but a string is [ErrNotString].
func (v *Value) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return ErrNotString
	}
	*v = FromString(*s)
	return nil
}
