// Package audit has the entries of the audit log and the chain of hashes that holds them together.
//
// Each user's library has one chain, and the instance has one of its own. An entry's hash covers
// the hash before it, so no entry can be changed, removed or moved without every later hash being
// wrong. The head (the last number and hash) is kept apart from the entries, so that a missing end
// is noticed, too. Someone who can write the whole database can write a whole new chain: only a
// copy of a head kept elsewhere shows that. The package is pure.
package audit

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"github.com/google/uuid"
)

// A Hash is SHA-256. The zero Hash stands before the first entry.
type Hash [sha256.Size]byte

// A Head is the end of a chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// A Linked is an entry with the hash that was stored with it.
type Linked struct {
	Entry
	Hash Hash
}

// Append returns the head after e was appended to h, and gives e its number. The hash has no key:
// anyone can recompute an exported chain.
func (h Head) Append(e *Entry) Head {
	e.Seq = h.Seq + 1
	sum := sha256.New()
	sum.Write(h.Hash[:])
	sum.Write(e.Canonical())
	next := Head{Seq: e.Seq}
	sum.Sum(next.Hash[:0])
	return next
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

// VerifyChain checks that the entries, in order, are the chain of owner that ends in head. The
// error is a [*BreakError], or the first that the sequence itself gives.
func VerifyChain(owner uuid.UUID, entries iter.Seq2[Linked, error], head Head) error {
	return VerifyChainFrom(Head{}, owner, entries, head)
}

// Sequence returns entries as [VerifyChain] reads them.
func Sequence(entries []Linked) iter.Seq2[Linked, error] {
	return func(yield func(Linked, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// VerifyChainFrom is [VerifyChain] for entries that follow at: what comes before was cut off.
func VerifyChainFrom(
	at Head, owner uuid.UUID, entries iter.Seq2[Linked, error], head Head,
) error {
	for e, err := range entries {
		if err != nil {
			return err
		}
		broken := func(reason string) error {
			return &BreakError{Owner: owner, Seq: at.Seq + 1, Reason: reason}
		}
		if e.Owner != owner {
			return broken("the entry belongs to another chain")
		}
		if e.Seq != at.Seq+1 {
			return broken("the entry is missing or out of place")
		}
		next := at.Append(&e.Entry)
		if next.Hash != e.Hash {
			return broken("the entry does not have the hash that was stored with it")
		}
		at = next
	}
	if at != head {
		return &BreakError{
			Owner: owner, Seq: at.Seq + 1, Reason: "the chain does not end where its head says",
		}
	}
	return nil
}
