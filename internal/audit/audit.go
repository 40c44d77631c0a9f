// Package audit has the entries of the audit log and the chain of hashes that holds them together.
//
// Each user's library has one chain. An entry's hash covers the hash before it, so that no entry
// can be changed, removed or moved without every later hash being wrong; the head (the last number
// and hash) stands apart from the entries, so that a missing end is seen too. Whoever can write the
// whole database can write a whole new chain: only a copy of a head kept elsewhere shows that. The
// package is pure.
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
)

// An Outcome says how the action ended.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused" // by the policy or a quota; nothing was changed
)

// A Hash is SHA-256. The zero Hash stands before the first entry.
type Hash [sha256.Size]byte

// An Entry says what was done, by whom, and with which secret. It never has anything of a value.
type Entry struct {
	// whose chain: the user whose library it touches; of a refusal, the user who asked
	Owner   uuid.UUID
	Seq     uint64    // from 1, without a gap
	At      time.Time // truncated to microseconds
	User    uuid.UUID // who did it; nil for the operator at the machine itself
	Key     uuid.UUID // with which API key
	Action  string    // a policy.Action
	Outcome Outcome
	Target  uuid.UUID // the secret, API key or user it was done to; nil where there is none
	Name    string    // the target's name at that moment
	Version uint64    // of the secret, 0 where there is none
}

// A Head is the end of a chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// canonicalTag begins the canonical bytes. A change of the form below needs a new tag.
const canonicalTag = "keysake audit entry v1\n"

// Canonical returns the bytes that the hash covers: the tag, then the fields in the order of
// [Entry], ids as 16 bytes, numbers and Unix microseconds as 8 bytes in big-endian order, texts
// with their length before them in 4.
func (e Entry) Canonical() []byte {
	b := make([]byte, 0, 256)
	b = append(b, canonicalTag...)
	b = append(b, e.Owner[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = append(b, e.User[:]...)
	b = append(b, e.Key[:]...)
	b = appendText(b, e.Action)
	b = appendText(b, string(e.Outcome))
	b = append(b, e.Target[:]...)
	b = appendText(b, e.Name)
	return binary.BigEndian.AppendUint64(b, e.Version)
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(
		b,
		uint32(len(s)),
	) //nolint:gosec // names and actions are short
	return append(b, s...)
}

// Next returns the head after e was appended to h, and gives e its number.
func (h Head) Next(e *Entry) Head {
	e.Seq = h.Seq + 1
	sum := sha256.New()
	sum.Write(h.Hash[:])
	sum.Write(e.Canonical())
	next := Head{Seq: e.Seq}
	sum.Sum(next.Hash[:0])
	return next
}

// A Linked is an entry with the hash that was stored with it.
type Linked struct {
	Entry
	Hash Hash
}

// A BreakError names the first place where a chain does not hold.
type BreakError struct {
	Owner  uuid.UUID
	Seq    uint64 // where; one past the end if the end is missing
	Reason string
}

func (e *BreakError) Error() string {
	return fmt.Sprintf("audit: the chain of %s breaks at entry %d: %s", e.Owner, e.Seq, e.Reason)
}

// Verify checks that the entries, in order, are the chain of owner that ends in head. The error is
// a [*BreakError], or the first that the sequence itself gives.
func Verify(owner uuid.UUID, entries iter.Seq2[Linked, error], head Head) error {
	var at Head
	for e, err := range entries {
		if err != nil {
			return err
		}
		broken := func(reason string) error { return &BreakError{Owner: owner, Seq: at.Seq + 1, Reason: reason} }
		if e.Owner != owner {
			return broken("the entry belongs to another user")
		}
		if e.Seq != at.Seq+1 {
			return broken("the entry is missing, or stands elsewhere")
		}
		next := at.Next(&e.Entry)
		if next.Hash != e.Hash {
			return broken("the entry does not have the hash that was stored with it")
		}
		at = next
	}
	if at != head {
		return &BreakError{
			Owner:  owner,
			Seq:    at.Seq + 1,
			Reason: "the chain does not end where its head says",
		}
	}
	return nil
}
