// Package wire has the JSON bodies of Keysake's HTTP API, version 1, field for field as
// openapi.yaml has them.
//
// The server decodes into these types and the client encodes from them. A request type tells by
// Validate which of its fields break a rule that needs no database to see; rules that do (a taken
// name, a full quota) are the server's. The package imports the standard library and the plaintext
// leaf, so that a client needs nothing else.
package wire

import (
	"time"
	"unicode/utf8"
)

// Limits of the contract. Lengths of names and texts are in characters, of values and bodies in
// bytes.
const (
	MaxBodyBytes    = 256 << 10
	MaxValueBytes   = 64 << 10
	MaxNameLength   = 128
	MaxEmailLength  = 254 // RFC 5321, section 4.5.3.1.3, less the angle brackets
	MaxUsername     = 64
	MaxAPIKeyName   = 128
	MaxAPIKeyScopes = 16
)

// Time is a moment in UTC, written as RFC 3339 with a Z and at most microseconds.
type Time struct{ time.Time }

// timeLayout leaves out a fraction that is zero.
const timeLayout = `"2006-01-02T15:04:05.999999Z"`

// At returns t as a wire time, truncated to microseconds, which is what the database keeps.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Microsecond)} }

// AtOrNull is At for a moment that may not have come: the zero time is nil, which JSON shows as
// null.
func AtOrNull(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	at := At(t)
	return &at
}

// MarshalJSON implements [encoding/json.Marshaler].
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(make([]byte, 0, len(timeLayout)), timeLayout), nil
}

// text tells whether s, a field that people read, has between 1 and max characters and none that a
// terminal would obey.
func text(name, s string, max int) []FieldError {
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return []FieldError{bodyField(name, TypeTooShort, "Must not be empty")}
	case n > max:
		return []FieldError{
			bodyField(name, TypeTooLong, "Must have at most "+itoa(max)+" characters"),
		}
	}
	for _, r := range s {
		if isControl(r) {
			return []FieldError{bodyField(name, TypePattern, "Must not contain control characters")}
		}
	}
	return nil
}
