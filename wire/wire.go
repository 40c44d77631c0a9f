// Package wire has the JSON bodies of Keysake's HTTP API, version 1, field for field as
// openapi.yaml has them.
//
// The server decodes into these types and the client encodes from them. They are shapes only: the
// rules are the server's. The package imports the standard library and the plaintext leaf, so that
// a client needs nothing more.
package wire

import "time"

// Time is a moment in UTC, written as RFC 3339 with a Z and at most microseconds.
type Time struct{ time.Time }

// At returns t as a wire time, truncated to microseconds, which is what the database keeps.
func At(t time.Time) Time {
	t = t.UTC()
	return Time{t.Add(-time.Duration(t.Nanosecond()) % time.Microsecond)}
}

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
	return t.AppendJSON(make([]byte, 0, len(`"2006-01-02T15:04:05.999999Z"`))), nil
}

// AppendJSON appends what MarshalJSON returns.
func (t Time) AppendJSON(b []byte) []byte {
	b = At(t.Time).AppendFormat(append(b, '"'), time.RFC3339Nano)
	return append(b, '"')
}
