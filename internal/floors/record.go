// Package floors keeps the highest numbers that ledgers had in a file outside of the database, so
// that a database that was put back while no server ran is noticed. format.md describes the file.
package floors

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"
)

const (
	recordSize = 48
	crcAt      = 44

	header = "keysake floors v1\n"

	kindFloor = 1
	kindReset = 2
)

// A Ledger names one: by the instance key that signed it, and its user, nil for the instance.
type Ledger struct{ Key, User uuid.UUID }

// Content is what a floors file says.
type Content struct {
	Numbers map[Ledger]uint64
	Resets  map[uuid.UUID]uint64 // how many there were of each instance key
	Damaged int                  // how many records were not completely written
}

// Of returns the floors that count where these instance keys are believed, by user. If several keys
// signed ledgers of a user, the highest counts.
func (c Content) Of(keys []uuid.UUID) map[uuid.UUID]uint64 {
	believed := map[uuid.UUID]bool{}
	for _, k := range keys {
		believed[k] = true
	}
	found := map[uuid.UUID]uint64{}
	for l, number := range c.Numbers {
		if believed[l.Key] {
			found[l.User] = max(found[l.User], number)
		}
	}
	return found
}

// add counts a record.
func (c *Content) add(r []byte) {
	key, user := uuid.UUID(r[4:20]), uuid.UUID(r[20:36])
	number := binary.BigEndian.Uint64(r[36:44])
	switch {
	case checksum(r) != binary.BigEndian.Uint32(r[crcAt:]):
		c.Damaged++
	case r[0] == kindFloor:
		l := Ledger{key, user}
		c.Numbers[l] = max(c.Numbers[l], number)
	case r[0] == kindReset:
		for l := range c.Numbers {
			if l.Key == key {
				delete(c.Numbers, l)
			}
		}
		c.Resets[key] = max(c.Resets[key]+1, number)
	default:
		c.Damaged++
	}
}

// records returns the content as records, without the header.
func (c Content) records() []byte {
	b := make([]byte, 0, recordSize*(len(c.Resets)+len(c.Numbers)))
	for key, n := range c.Resets {
		b = appendRecord(b, kindReset, Ledger{Key: key}, n)
	}
	for l, n := range c.Numbers {
		b = appendRecord(b, kindFloor, l, n)
	}
	return b
}

func appendRecord(b []byte, kind byte, l Ledger, number uint64) []byte {
	start := len(b)
	b = append(b, kind, 0, 0, 0)
	b = append(b, l.Key[:]...)
	b = append(b, l.User[:]...)
	b = binary.BigEndian.AppendUint64(b, number)
	return binary.BigEndian.AppendUint32(b, checksum(b[start:]))
}

// firstRecord begins every file.
func firstRecord() []byte {
	b := append(make([]byte, 0, recordSize), header...)
	b = append(b, make([]byte, crcAt-len(header))...)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func checksum(record []byte) uint32 {
	return crc32.Checksum(record[:crcAt], crc32.MakeTable(crc32.Castagnoli)) // it is made once
}
