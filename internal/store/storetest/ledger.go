package storetest

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func ledgerBehaviours() []behaviour {
	return []behaviour{
		{"a new user has no ledger yet, whose number is 0", func(s subject) {
			u := s.addUser("ann")
			s.wantSame("ledger", got(s, readLedger(u.Owner)), vault.StoredLedger{Owner: u.Owner})
		}},
		{"a ledger is read back as it was saved, and shows in the user", func(s subject) {
			u := s.addUser("ann")
			for _, number := range []uint64{1, 2, 1 << 53, 5, most} {
				u.StoredLedger = s.saveLedger(u.Owner, u.Number, number)
				s.wantSame("ledger", got(s, readLedger(u.Owner)), u.StoredLedger)
				s.wantUser(u)
			}
		}},
		{"a saved ledger leaves the others alone", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			s.saveLedger(ann.Owner, 0, 4)
			s.wantUser(bob)
		}},
		{"a ledger is saved only in place of the one of that number", func(s subject) {
			u, other := s.addUser("ann"), s.addUser("bob")
			u.StoredLedger = s.saveLedger(u.Owner, 0, 4)
			s.saveLedger(other.Owner, 0, 3)
			for _, was := range []uint64{0, 3, 5, most} {
				s.refuses(vault.NotFound, "another number", func(tx vault.Tx) error {
					return tx.SaveLedger(s.ctx, ledgerOf(u.Owner, 5), was)
				})
			}
			s.wantUser(u)
		}},
		{"a locked ledger is the one that was saved", func(s subject) {
			u := s.addUser("ann")
			want := ledgerOf(u.Owner, 4)
			var locked vault.StoredLedger
			s.update(func(tx vault.Tx) (err error) {
				if err := tx.SaveLedger(s.ctx, want, 0); err != nil {
					return err
				}
				locked, err = tx.LockLedger(s.ctx, u.Owner)
				return err
			})
			s.wantSame("ledger", locked, want)
			s.refuses(vault.NotFound, "LockLedger", func(tx vault.Tx) error {
				_, err := tx.LockLedger(s.ctx, newID())
				return err
			})
		}},
		{"the instance has one ledger, from its first record on", instanceHasOneLedger},
		{
			"a ledger is saved in the transaction that deletes the user, and after it",
			func(s subject) {
				u := s.addUser("ann")
				s.update(func(tx vault.Tx) error {
					if err := tx.DeleteUser(s.ctx, u.Owner, moment(1)); err != nil {
						return err
					}
					return tx.SaveLedger(s.ctx, ledgerOf(u.Owner, 9), 0)
				})
				last := s.saveLedger(u.Owner, 9, 10)
				s.wantSame("ledger", got(s, readLedger(u.Owner)), last)
			},
		},
	}
}

func instanceHasOneLedger(s subject) {
	lock := func(tx vault.Tx) error {
		_, err := tx.LockInstance(s.ctx)
		return err
	}
	s.refuses(vault.NotFound, "LockInstance of a new database", lock)
	missing(s, "InstanceLedger of a new database", readInstance)
	id := newID()
	s.refuses(vault.NotFound, "a ledger after one that there is not", func(tx vault.Tx) error {
		return tx.SaveInstance(s.ctx, ledgerOf(id, 2), 1)
	})
	for was := range uint64(3) {
		want := ledgerOf(id, was+1)
		s.update(func(tx vault.Tx) error { return tx.SaveInstance(s.ctx, want, was) })
		s.wantSame("instance", got(s, readInstance), want)
		s.update(lock)
		for _, other := range []uint64{was + 2, most} {
			s.refuses(vault.NotFound, "another number", func(tx vault.Tx) error {
				return tx.SaveInstance(s.ctx, ledgerOf(id, was+2), other)
			})
		}
	}
	s.refuses(vault.NotFound, "another instance", func(tx vault.Tx) error {
		return tx.SaveInstance(s.ctx, ledgerOf(newID(), 4), 3)
	})
	for _, again := range []uuid.UUID{id, newID()} {
		s.refuses(vault.Conflict, "a second instance", func(tx vault.Tx) error {
			return tx.SaveInstance(s.ctx, ledgerOf(again, 1), 0)
		})
	}
}

func readInstance(ctx context.Context, r vault.Reader) (vault.StoredLedger, error) {
	return r.InstanceLedger(ctx)
}

func readLedger(user uuid.UUID) reads[vault.StoredLedger] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredLedger, error) {
		return r.Ledger(ctx, user)
	}
}

func ledgerOf(owner uuid.UUID, number uint64) vault.StoredLedger {
	signed := random32()
	return vault.StoredLedger{Owner: owner, Number: number, Signed: signed[:]}
}

// saveLedger saves a ledger of a user in place of the one of a number.
func (s subject) saveLedger(user uuid.UUID, was, number uint64) vault.StoredLedger {
	s.Helper()
	l := ledgerOf(user, number)
	s.update(func(tx vault.Tx) error { return tx.SaveLedger(s.ctx, l, was) })
	return l
}
