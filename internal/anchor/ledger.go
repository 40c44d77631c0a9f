package anchor

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// How many bytes a ledger may have: a user's, and the instance's, which lists users.
const (
	MaxLedger   = 64 << 10
	maxInstance = 512 << 10
)

// MaxSeals is how often an owner key may seal before it must be rotated: a sixteenth of what NIST
// SP 800-38D, section 8.3, allows a key with random nonces of 96 bits.
const MaxSeals = 1 << 28

// A State says what a user may do.
type State byte

// The states.
const (
	Active   State = 1
	Disabled State = 2 // no credential of the user counts
	Deleted  State = 3 // only the audit chain is left
	Repaired State = 4 // active, and not yet confirmed by the owner after a repair
)

// A Ledger says what exists of one user, or of the instance, whose User is nil.
type Ledger struct {
	InstanceKey uuid.UUID // that signed it
	User        uuid.UUID
	Number      uint64 // grows with every change
	State       State
	OwnerKey    uuid.UUID // that seals
	PreviousKey uuid.UUID // that opens, too, while a rotation is not complete; otherwise nil
	Seals       uint64    // how often OwnerKey sealed
	Identity    [sha256.Size]byte
	Cut         audit.Head // up to which retention removed entries of the audit chain
	Head        audit.Head // the end of the chain
	Secrets     Set        // of [VersionEntry]
	Versions    Set        // of [VersionEntry]; of the instance: identities that have or had a user
	APIKeys     Set        // of [KeyEntry]; of the instance: the users who are disabled
	Leases      Set        // of [LeaseEntry]; of the instance: users who were deleted, and when
}

// Next gives the ledger its next number: the time in microseconds, or one more than before.
func (l *Ledger) Next(now time.Time) {
	l.Number = max(l.Number+1, uint64(max(now.UnixMicro(), 0)))
}

// AddDeleted lists in the instance's ledger that a user was deleted, and keeps the last of those.
func (l *Ledger) AddDeleted(user uuid.UUID, at time.Time, keep int) {
	micros := uint64(at.UnixMicro())
	l.Leases.Add(binary.BigEndian.AppendUint64(user[:], micros))
	for l.Leases.Len() > keep {
		oldest := l.Leases.at(0)
		for i := range l.Leases.Len() {
			if bytes.Compare(l.Leases.at(i)[16:], oldest[16:]) < 0 {
				oldest = l.Leases.at(i)
			}
		}
		l.Leases.Remove(slices.Clone(oldest))
	}
}

// DropEnded removes the leases of a user that have expired.
func (l *Ledger) DropEnded(now time.Time) {
	if l.User == uuid.Nil {
		return
	}
	micros := uint64(max(now.UnixMicro(), 0))
	for i := l.Leases.Len() - 1; i >= 0; i-- {
		if entry := l.Leases.at(i); binary.BigEndian.Uint64(entry[KeyEntry:]) <= micros {
			l.Leases.Remove(slices.Clone(entry))
		}
	}
}

const formatV1 = 1

// Sign returns the bytes of the ledger, signed with an instance key. The ledger keeps them, as one
// that was opened does: nobody may change them. [ErrTooLong].
func (l *Ledger) Sign(key seal.InstanceKey) ([]byte, error) {
	l.InstanceKey = key.ID()
	b := l.body()
	code := key.LedgerMAC(b)
	if b = append(b, code[:]...); len(b) > limit(l.User) {
		return nil, ErrTooLong
	}
	at := headerSize - 4*4
	for _, s := range []*Set{&l.Secrets, &l.Versions, &l.APIKeys, &l.Leases} {
		at += 4
		s.entries = b[at : at+len(s.entries)]
		at += len(s.entries)
	}
	return b, nil
}

// Size returns how many bytes a ledger has when it is signed.
func (l *Ledger) Size() int { return len(l.body()) + sha256.Size }

// Fill is how much of the room for a ledger is taken: 1 is all of it.
func (l *Ledger) Fill() float64 { return float64(l.Size()) / float64(limit(l.User)) }

// HasRoom reports whether a ledger is less than three quarters full. The last quarter is not for
// what somebody else can do again and again: it must not keep what takes access away from going on.
func (l *Ledger) HasRoom() bool { return l.Fill() < 0.75 }

func limit(user uuid.UUID) int {
	if user == uuid.Nil {
		return maxInstance
	}
	return MaxLedger
}

func (l *Ledger) body() []byte {
	b := make([]byte, 0, headerSize+len(l.Secrets.entries)+len(l.Versions.entries)+
		len(l.APIKeys.entries)+len(l.Leases.entries)+sha256.Size)
	b = append(b, formatV1)
	b = append(b, l.InstanceKey[:]...)
	b = append(b, l.User[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Number)
	b = append(b, byte(l.State))
	b = append(b, l.OwnerKey[:]...)
	b = append(b, l.PreviousKey[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Seals)
	b = append(b, l.Identity[:]...)
	for _, h := range []audit.Head{l.Cut, l.Head} {
		b = binary.BigEndian.AppendUint64(b, h.Seq)
		b = append(b, h.Hash[:]...)
	}
	for _, s := range []Set{l.Secrets, l.Versions, l.APIKeys, l.Leases} {
		b = binary.BigEndian.AppendUint32(b, uint32(s.Len())) //nolint:gosec // below MaxLedger
		b = append(b, s.entries...)
	}
	return b
}

// headerSize is the length of a ledger without entries and without its code.
const headerSize = 1 + 16 + 16 + 8 + 1 + 16 + 16 + 8 + 32 + 2*(8+32) + 4*4

// Keys returns the instance key of an id, if it is believed.
type Keys func(id uuid.UUID) (seal.InstanceKey, bool)

// Open returns the ledger of a user, nil for the instance's, and the key that signed it. The ledger
// keeps the bytes: nobody may change them. [ErrTampered], [ErrUnknownKey].
func Open(b []byte, user uuid.UUID, keys Keys) (Ledger, seal.InstanceKey, error) {
	if len(b) < headerSize+sha256.Size || len(b) > limit(user) || b[0] != formatV1 {
		return Ledger{}, seal.InstanceKey{}, ErrTampered
	}
	key, known := keys(uuid.UUID(b[1:17]))
	if !known {
		return Ledger{}, seal.InstanceKey{}, ErrUnknownKey
	}
	body, code := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	want := key.LedgerMAC(body)
	if subtle.ConstantTimeCompare(want[:], code) != 1 {
		return Ledger{}, seal.InstanceKey{}, ErrTampered
	}
	l, ok := parse(body)
	if !ok || l.User != user {
		return Ledger{}, seal.InstanceKey{}, ErrTampered
	}
	return l, key, nil
}

// SignedBy returns the id of the instance key that a ledger names as its signer. Nothing vouches
// for it before the ledger is opened. It is nil for what is no ledger.
func SignedBy(b []byte) uuid.UUID {
	if len(b) < headerSize || b[0] != formatV1 {
		return uuid.Nil
	}
	return uuid.UUID(b[1:17])
}

// parse takes a ledger apart. It returns false for bytes that [Ledger.body] never makes.
func parse(b []byte) (l Ledger, ok bool) {
	take := func(n int) []byte {
		part := b[:n]
		b = b[n:]
		return part
	}
	number := func() uint64 { return binary.BigEndian.Uint64(take(8)) }
	take(1)
	l.InstanceKey, l.User = uuid.UUID(take(16)), uuid.UUID(take(16))
	l.Number, l.State = number(), State(take(1)[0])
	l.OwnerKey, l.PreviousKey = uuid.UUID(take(16)), uuid.UUID(take(16))
	l.Seals, l.Identity = number(), [sha256.Size]byte(take(sha256.Size))
	l.Cut = audit.Head{Seq: number(), Hash: audit.Hash(take(sha256.Size))}
	l.Head = audit.Head{Seq: number(), Hash: audit.Hash(take(sha256.Size))}
	for _, list := range []struct {
		to    *Set
		width int
	}{
		{&l.Secrets, VersionEntry},
		{&l.Versions, VersionEntry},
		{&l.APIKeys, KeyEntry},
		{&l.Leases, LeaseEntry},
	} {
		if len(b) < 4 {
			return Ledger{}, false
		}
		n := int(binary.BigEndian.Uint32(take(4)))
		if n > len(b)/list.width {
			return Ledger{}, false
		}
		*list.to = Set{list.width, take(n * list.width)}
		if !list.to.ordered() {
			return Ledger{}, false
		}
	}
	return l, len(b) == 0 && l.State >= Active && l.State <= Repaired
}
