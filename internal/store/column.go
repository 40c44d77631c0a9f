package store

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/seal"
)

// A column describes a column of a table whose rows are Ts: how a T is bound to it, and scanned
// from it. scan returns an error for a value that bind never makes. bind returns an error as its
// value for one that scan would refuse: the row is then not written.
type column[T any] struct {
	name string
	kind backup.Kind
	bind func(*T) any
	scan func(*T, Row, int) error
}

// Errors of scan. They tell nothing of the value.
var (
	errNull    = errors.New("the value is missing")
	errNotID   = errors.New("the value is not an id")
	errNotUTF8 = errors.New("the value is not UTF-8")
	errRange   = errors.New("the number is out of range")
	errNotFlag = errors.New("the value is neither 0 nor 1")
)

// required makes scan refuse NULL.
func required[T any](c column[T]) column[T] {
	scan := c.scan
	c.scan = func(v *T, r Row, i int) error {
		if r.IsNull(i) {
			return errNull
		}
		return scan(v, r, i)
	}
	return c
}

// id keeps a UUID as text, the nil UUID as an empty one.
func id[T any](name string, field func(*T) *uuid.UUID) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Text,
		bind: func(v *T) any { return idText(*field(v)) },
		scan: func(v *T, r Row, i int) (err error) {
			*field(v), err = parseID(r.Text(i))
			return err
		},
	})
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// idLen is the length of the text of an id that is not nil.
const idLen = 36

// parseID takes the one text that idText returns for an id.
func parseID(text string) (uuid.UUID, error) {
	if text == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil || id == uuid.Nil || len(text) != idLen || strings.ToLower(text) != text {
		return uuid.Nil, errNotID
	}
	return id, nil
}

func text[T any, S ~string](name string, field func(*T) *S) column[T] {
	return encoded(name,
		func(v *T) string { return string(*field(v)) },
		func(v *T, s string) error { *field(v) = S(s); return nil })
}

// encoded keeps what encode makes a text.
func encoded[T any](
	name string, encode func(*T) string, decode func(*T, string) error,
) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Text,
		bind: func(v *T) any { return encode(v) },
		scan: func(v *T, r Row, i int) error {
			s := r.Text(i)
			if !utf8.ValidString(s) {
				return errNotUTF8
			}
			return decode(v, s)
		},
	})
}

func number[T any, N ~int | ~int64 | ~uint64](name string, field func(*T) *N) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Integer,
		bind: func(v *T) any { return integer(*field(v)) },
		scan: func(v *T, r Row, i int) error {
			n := r.Int(i)
			*field(v) = N(n)
			if int64(N(n)) != n || (n < 0) != (N(n) < 0) {
				return errRange
			}
			return nil
		},
	})
}

// integer makes a number an argument of a statement.
func integer[N ~int | ~int64 | ~uint64](n N) int64 { return int64(n) }

func blob[T any](name string, field func(*T) *[]byte) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Blob,
		bind: func(v *T) any { return notNull(*field(v)) },
		scan: func(v *T, r Row, i int) error { *field(v) = r.Bytes(i); return nil },
	})
}

// notNull makes bytes an argument of a statement: a driver may bind a nil slice as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// hash keeps a SHA-256 as a blob.
func hash[T any, H ~[32]byte](name string, field func(*T) *H) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Blob,
		bind: func(v *T) any { h := [32]byte(*field(v)); return h[:] },
		scan: func(v *T, r Row, i int) error {
			b := r.Bytes(i)
			if len(b) != len(H{}) {
				return fmt.Errorf("the hash has %d bytes", len(b))
			}
			*field(v) = H(b)
			return nil
		},
	})
}

// stamp keeps a stamp as a blob.
func stamp[T any](name string, field func(*T) *seal.Stamp) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Blob,
		bind: func(v *T) any { return field(v)[:] },
		scan: func(v *T, r Row, i int) error {
			b := r.Bytes(i)
			if len(b) != len(seal.Stamp{}) {
				return fmt.Errorf("the stamp has %d bytes", len(b))
			}
			*field(v) = seal.Stamp(b)
			return nil
		},
	})
}

// moment keeps a time as microseconds since 1970 in UTC, the zero time as NULL.
func moment[T any](name string, field func(*T) *time.Time) column[T] {
	return column[T]{
		name: name,
		kind: backup.Integer,
		bind: func(v *T) any {
			if at := *field(v); !at.IsZero() && !isReadable(at) {
				return errRange
			}
			return micros(*field(v))
		},
		scan: func(v *T, r Row, i int) error {
			at := timeAt(r, i)
			*field(v) = at
			if !r.IsNull(i) && !isReadable(at) {
				return errRange
			}
			return nil
		},
	}
}

// isReadable reports whether JSON has a text for a time.
func isReadable(at time.Time) bool {
	year := at.UTC().Year()
	return !at.IsZero() && year >= 1 && year <= 9999
}

func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func timeAt(r Row, i int) time.Time {
	if r.IsNull(i) {
		return time.Time{}
	}
	return time.UnixMicro(r.Int(i)).UTC()
}

// flag keeps a bool as 0 or 1.
func flag[T any](name string, field func(*T) *bool) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Integer,
		bind: func(v *T) any {
			if *field(v) {
				return int64(1)
			}
			return int64(0)
		},
		scan: func(v *T, r Row, i int) error {
			n := r.Int(i)
			if n != 0 && n != 1 {
				return errNotFlag
			}
			*field(v) = n == 1
			return nil
		},
	})
}

// elapsed keeps a duration as microseconds.
func elapsed[T any](name string, field func(*T) *time.Duration) column[T] {
	return required(column[T]{
		name: name,
		kind: backup.Integer,
		bind: func(v *T) any { return field(v).Microseconds() },
		scan: func(v *T, r Row, i int) error {
			n := r.Int(i)
			if n < 0 || n > int64(math.MaxInt64/time.Microsecond) {
				return errRange
			}
			*field(v) = time.Duration(n) * time.Microsecond
			return nil
		},
	})
}
