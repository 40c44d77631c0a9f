package seal

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// A Stamp is drawn anew whenever a value is sealed. Version numbers are used twice after a restore;
// stamps are not.
type Stamp [16]byte

// NewStamp returns a random stamp.
func NewStamp() Stamp { return Stamp(randomBytes(len(Stamp{}))) }

// A Binding says which version of which secret a value and a mask belong to, and what else is shown
// of it. The blobs do not hold it: to open one, it must be known.
type Binding struct {
	User    uuid.UUID
	Secret  uuid.UUID
	Version uint64 // from 1
	Stamp   Stamp

	// Only the mask is bound to these. Times count in microseconds.
	Name            string
	Provider        string
	SecretCreatedAt time.Time
	CreatedAt       time.Time // when the version became the current one
}

// appendAssociated appends the associated data of a blob of format 3. Every part has a fixed size,
// or has its length before it.
func (b Binding) appendAssociated(data []byte, purpose string, keyID uuid.UUID) []byte {
	data = appendPurpose(data, formatV3, keyID, purpose)
	data = append(data, b.User[:]...)
	data = append(data, b.Secret[:]...)
	data = binary.BigEndian.AppendUint64(data, b.Version)
	data = append(data, b.Stamp[:]...)
	if purpose == purposeValue {
		return data
	}
	data = appendText(data, b.Name)
	data = appendText(data, b.Provider)
	data = appendTime(data, b.SecretCreatedAt)
	return appendTime(data, b.CreatedAt)
}

// appendPurpose appends what all associated data begins with.
func appendPurpose(b []byte, format byte, keyID uuid.UUID, purpose string) []byte {
	b = append(append(b, format), keyID[:]...)
	b = append(b, byte(len(purpose))) //nolint:gosec // the purposes are short constants
	return append(b, purpose...)
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // names are short
	return append(b, s...)
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro())) // in two's complement
}
