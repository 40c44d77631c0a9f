package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// A snapshot is what a use case reads: the rows of one moment, through their ledgers.
type snapshot struct {
	core *core
	rows Reader
	seen uint64            // what the floors knew when it began
	read *[]verifiedLedger // what was read

	since uint64          // the moment of the store before it began; 0 in a transaction that writes
	kept  bool            // rows may be taken from the memory, and are kept there
	known *verifiedLedger // of a user, from the memory
	same  bool            // the database has no other ledger than the known one
	again bool            // it is the second: what is unknown now stays unknown
	locks Tx              // of the second run of a change: see further
}

// isBroken reports whether an error says that a ledger or row is not what was stored, so that a use
// case that can do without it goes on. A ledger of an instance key that is not open is not broken
// the first time: the key is opened then.
func (s *snapshot) isBroken(err error) bool {
	return errors.Is(err, ErrTampered) && (s.again || !errors.Is(err, anchor.ErrUnknownKey))
}

// view runs fn on a snapshot, and once more where that is tampered with: what was found twice is
// recorded. It notes the numbers of the ledgers that fn read.
func (c *core) view(ctx context.Context, fn func(*snapshot) error) error {
	return c.viewWith(ctx, uuid.Nil, fn)
}

// viewWith is view with what is in the memory of a user's library. What is not there is read
// without a transaction: the ledger tells whether it is of the same state, and if not, fn runs on a
// snapshot.
func (c *core) viewWith(ctx context.Context, user uuid.UUID, fn func(*snapshot) error) error {
	c.followInstanceKeys(ctx)
	var err error
	for try := range 2 {
		var read []verifiedLedger
		s := snapshot{
			core: c, read: &read, seen: c.floors.seen(), since: c.store.Moment(),
			kept: user != uuid.Nil, again: try > 0,
		}
		run := c.store.View
		if s.kept && !s.again {
			run = c.store.Read
			s.known, s.same = c.remembered(user)
		}
		err = run(ctx, func(r Reader) error {
			read = read[:0]
			s.rows = r
			return fn(&s)
		})
		if !errors.Is(err, ErrTampered) {
			for _, l := range read {
				c.keep(l)
			}
			return err
		}
		if failed := c.meetInstanceKey(ctx, err); failed != nil {
			return failed
		}
	}
	c.found.report(err)
	return err
}
