package vault

import (
	"bytes"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
)

// A line is an API key that was presented, with the keys above it, as it was verified. It counts
// while nothing changes the ledgers that list its keys, and after that while they list the keys.
type line struct {
	keys    []APIKey
	whole   bool // it reaches a key that the operator made
	numbers map[uuid.UUID]uint64
	since   uint64 // the moment of the store before the numbers were read
	read    uint64 // the moment before the rows of the keys were read
}

// works reports whether the key works at a time: it and every key above it is neither revoked nor
// suspended and has not expired, and no user of one is disabled.
func (l line) works(now time.Time) bool {
	return l.whole && !slices.ContainsFunc(l.keys, func(k APIKey) bool {
		return k.Suspended || k.expired(now)
	})
}

// verified is what was verified of committed ledgers, so that it need not be done again: lines by
// the hash of the token, ledgers by user, and rows.
type verified struct {
	*memory

	readings atomic.Uint64 // how often a ledger was read
}

// A verifiedLedger is a ledger as it was stored, with the key that signed it, and so its entries.
type verifiedLedger struct {
	ledger anchor.Ledger
	signer seal.InstanceKey
	signed []byte

	since   uint64 // the moment of the store before it was read, or when it was written
	access  uint64 // the same of its number alone, which tells that nobody's access was taken
	reading uint64 // tells the rows that were verified with it from those of other readings
}

func newVerified() *verified { return &verified{memory: newMemory(maxVerified)} }

func (v *verified) line(hash TokenHash) (line, bool) {
	l, ok := v.get(hash).(line)
	return l, ok
}

func (v *verified) addLine(hash TokenHash, l line) { v.add(hash, l, l.size()) }

func (v *verified) ledger(user uuid.UUID) (*verifiedLedger, bool) {
	l, ok := v.get(user).(*verifiedLedger)
	return l, ok
}

// keep notes the number of a ledger that is on the disk, and keeps a user's.
func (c *core) keep(l verifiedLedger) {
	c.floors.note(l.ledger.User, l.ledger.Number)
	if l.ledger.User != uuid.Nil {
		c.verified.add(l.ledger.User, &l, l.size())
	}
}

// kept returns a user's ledger, if it was verified in these very bytes with a key that is believed.
func (c *core) kept(stored StoredLedger, user uuid.UUID) (verifiedLedger, bool) {
	l, found := c.verified.ledger(user)
	if !found || l.ledger.Number != stored.Number || !bytes.Equal(l.signed, stored.Signed) {
		return verifiedLedger{}, false
	}
	_, believed := c.instance.get(l.signer.ID())
	return *l, believed
}

// line returns the line of a token, if it counts as it was verified.
func (c *core) line(ctx context.Context, hash TokenHash) (known line, ok bool, err error) {
	c.followInstanceKeys(ctx)
	if known, ok = c.verified.line(hash); !ok {
		return line{}, false, nil
	}
	seen, since := c.floors.seen(), c.store.Moment()
	if c.unchanged(known, seen) {
		return known, true, nil
	}
	numbers, ok := c.stillListed(known, seen)
	if !ok {
		known.read = since
		numbers, ok, err = c.stillCounts(ctx, known, seen, since)
	}
	if err != nil || !ok {
		return line{}, false, err
	}
	known.numbers, known.since = numbers, since
	c.verified.addLine(hash, known)
	return known, true, nil
}

// stillListed returns the numbers of the ledgers of a line, if the memory has ledgers that let in
// whom those in the database do, and they list its keys. Its rows must have been read since another
// process may have changed them.
func (c *core) stillListed(known line, seen uint64) (map[uuid.UUID]uint64, bool) {
	if !c.store.SameAccess(uuid.Nil, known.read) {
		return nil, false
	}
	numbers := make(map[uuid.UUID]uint64, len(known.numbers))
	for _, k := range known.keys {
		l, _ := c.remembered(k.User)
		if l == nil || c.floors.below(k.User, l.ledger.Number, seen) || !l.active() || !l.lists(k) {
			return nil, false
		}
		numbers[k.User] = l.ledger.Number
	}
	return numbers, true
}

// stillCounts returns the numbers that the ledgers of a line have in the database, and whether it
// counts with the rows that its keys have there. It compares the numbers of ledgers, and no bytes:
// those in the memory tell who is let in now, and a read of the library compares the bytes.
func (c *core) stillCounts(
	ctx context.Context, known line, seen, since uint64,
) (now map[uuid.UUID]uint64, ok bool, err error) {
	ids := make([]uuid.UUID, len(known.keys))
	for i, k := range known.keys {
		ids[i] = k.ID
	}
	var stored []APIKey
	err = c.store.Read(ctx, func(r Reader) (err error) {
		stored, err = r.ListedAPIKeys(ctx, ids)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	now = make(map[uuid.UUID]uint64, len(known.numbers))
	for _, k := range known.keys {
		at := slices.IndexFunc(stored, func(s APIKey) bool { return s.ID == k.ID })
		if at < 0 || c.floors.below(k.User, stored[at].Ledger, seen) {
			return nil, false, nil
		}
		l, ok := c.counts(k, stored[at])
		if !ok {
			return nil, false, nil
		}
		if now[k.User] == 0 {
			now[k.User] = stored[at].Ledger
			l.access, l.reading = since, c.verified.readings.Add(1)
			c.keep(l)
		}
	}
	return now, true, nil
}

// unchanged reports whether the ledgers that list the keys of a line let in whom they let in when
// it was read, and none of them is older than one that was seen.
func (c *core) unchanged(known line, seen uint64) bool {
	for user, number := range known.numbers {
		if !c.store.SameAccess(user, known.since) || c.floors.below(user, number, seen) {
			return false
		}
	}
	return true
}

// counts returns a ledger that was verified and has the number of the user's, if it lists a key,
// which is as it was verified. What does not count is verified anew.
func (c *core) counts(k, stored APIKey) (verifiedLedger, bool) {
	l, found := c.verified.ledger(k.User)
	if !found || l.ledger.Number != stored.Ledger || !l.active() || !l.lists(k) ||
		!stored.Row().Equal(k.Row()) {
		return verifiedLedger{}, false
	}
	return *l, true
}

// active reports whether the credentials of the user count.
func (l verifiedLedger) active() bool {
	return l.ledger.State != anchor.Disabled && l.ledger.State != anchor.Deleted
}

// lists reports whether the ledger lists an API key.
func (l verifiedLedger) lists(k APIKey) bool {
	return l.ledger.APIKeys.Has(k.Row().Entry(l.signer, anchor.KeyEntry))
}
