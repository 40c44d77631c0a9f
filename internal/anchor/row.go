package anchor

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// rowTag begins the canonical bytes of a row. A change of the form below needs a new tag.
const rowTag = "keysake row v1\n"

// A Row is the canonical bytes of a stored row: the tag, its kind, and its fields in their order.
// Every field has a fixed length or has its length before it.
type Row struct{ bytes []byte }

// NewRow returns the row of a kind, without fields.
func NewRow(kind string) Row {
	return Row{append(make([]byte, 0, 256), rowTag...)}.Text(kind)
}

// ID adds an id.
func (r Row) ID(id uuid.UUID) Row { return Row{append(r.bytes, id[:]...)} }

// Number adds a number.
func (r Row) Number(n uint64) Row { return Row{binary.BigEndian.AppendUint64(r.bytes, n)} }

// Flag adds a yes or no.
func (r Row) Flag(set bool) Row {
	if set {
		return Row{append(r.bytes, 1)}
	}
	return Row{append(r.bytes, 0)}
}

// Time adds a time in microseconds, which may be missing: the zero time.
func (r Row) Time(t time.Time) Row {
	if t.IsZero() {
		return r.Flag(false)
	}
	return r.Flag(true).Number(uint64(t.UnixMicro()))
}

// Bytes adds bytes, with their length before them.
func (r Row) Bytes(b []byte) Row {
	length := binary.BigEndian.AppendUint32(r.bytes, uint32(len(b))) //nolint:gosec // short
	return Row{append(length, b...)}
}

// Text adds a text.
func (r Row) Text(s string) Row { return r.Bytes([]byte(s)) }

// Entry returns the entry of the row in a ledger: the first bytes of its code.
func (r Row) Entry(key seal.InstanceKey, width int) []byte {
	code := key.RowMAC(r.bytes)
	return code[:width]
}

// Code returns the code of a row that no ledger lists, which is stored beside it.
func (r Row) Code(key seal.InstanceKey) [sha256.Size]byte { return key.RowMAC(r.bytes) }

// HasCode reports whether a code is the one that an instance key makes of the row.
func (r Row) HasCode(key seal.InstanceKey, code [sha256.Size]byte) bool {
	want := r.Code(key)
	return subtle.ConstantTimeCompare(want[:], code[:]) == 1
}

// Equal reports whether two rows say the same.
func (r Row) Equal(other Row) bool { return bytes.Equal(r.bytes, other.bytes) }

// Digest returns SHA-256 of the row.
func (r Row) Digest() [sha256.Size]byte { return sha256.Sum256(r.bytes) }
