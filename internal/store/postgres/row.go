package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keysake/keysake/internal/store"
)

// A row is what PostgreSQL sent, in the form in which it sent it. Of the types that columns have,
// the binary form of a text is the text, of an integer its bytes, of a bytea the bytes.
type row struct {
	fields []pgconn.FieldDescription
	values [][]byte
}

var _ store.Row = (*row)(nil)

// IsNull implements [store.Row].
func (r *row) IsNull(column int) bool { return r.values[column] == nil }

// Text implements [store.Row].
func (r *row) Text(column int) string { return string(r.values[column]) }

// Int implements [store.Row].
func (r *row) Int(column int) int64 {
	b := r.values[column]
	if r.fields[column].Format == pgtype.TextFormatCode {
		n, _ := strconv.ParseInt(string(b), 10, 64) // a column of another type reads as 0
		return n
	}
	switch len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b)) //nolint:gosec // its two's complement
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b))) //nolint:gosec // its two's complement
	}
	return 0
}

// Bytes implements [store.Row].
func (r *row) Bytes(column int) []byte {
	b := r.values[column]
	if b == nil || r.fields[column].Format != pgtype.TextFormatCode {
		return bytes.Clone(b)
	}
	decoded, err := hex.DecodeString(string(bytes.TrimPrefix(b, []byte(`\x`))))
	if err != nil {
		return nil // a column of another type
	}
	return decoded
}
