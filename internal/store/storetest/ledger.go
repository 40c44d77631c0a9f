package storetest

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

func ledgerBehaviours() []behaviour {
	return []behaviour{
		{"the ledger of a new user is empty but for the owner key", func(s subject) {
			u := userNamed("ann")
			u.Secrets = 7 // a new library has none, whatever it says here
			s.update(func(tx vault.Tx) error { return tx.InsertUser(s.ctx, u) })
			s.wantSame(
				"ledger", got(s, readLedger(u.ID)), vault.Ledger{Owner: u.ID, OwnerKey: u.OwnerKey},
			)
		}},
		{"a ledger is read back as it was saved", func(s subject) {
			u := s.addUser("ann")
			for _, l := range []vault.Ledger{
				ledgerOf(u.ID, 1, 1), ledgerOf(u.ID, 0, 2), ledgerOf(u.ID, 200, most),
				{Owner: u.ID},
			} {
				s.update(func(tx vault.Tx) error { return tx.SaveLedger(s.ctx, l) })
				s.wantSame("ledger", got(s, readLedger(u.ID)), l)
			}
		}},
		{"a saved ledger shows in the user", func(s subject) {
			u := s.addUser("ann")
			l := ledgerOf(u.ID, 12, 34)
			s.update(func(tx vault.Tx) error { return tx.SaveLedger(s.ctx, l) })
			u.Secrets, u.OwnerKey = l.Secrets, l.OwnerKey
			s.wantUser(u)
		}},
		{"a saved ledger leaves the others alone", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			s.update(func(tx vault.Tx) error {
				return tx.SaveLedger(s.ctx, ledgerOf(ann.ID, 3, 4))
			})
			s.wantUser(bob)
			s.wantSame(
				"ledger", got(s, readLedger(bob.ID)),
				vault.Ledger{Owner: bob.ID, OwnerKey: bob.OwnerKey},
			)
		}},
		{"a locked ledger is the one that was saved", func(s subject) {
			u := s.addUser("ann")
			want := ledgerOf(u.ID, 3, 4)
			var locked vault.Ledger
			s.update(func(tx vault.Tx) (err error) {
				if err := tx.SaveLedger(s.ctx, want); err != nil {
					return err
				}
				locked, err = tx.LockLedger(s.ctx, u.ID)
				return err
			})
			s.wantSame("ledger", locked, want)
			s.refuses(vault.NotFound, "LockLedger", func(tx vault.Tx) error {
				_, err := tx.LockLedger(s.ctx, newID())
				return err
			})
		}},
		{"the instance has one ledger, from its first record on", instanceHasOneLedger},
		{"a library cannot have fewer than no secrets", func(s subject) {
			u := s.addUser("ann")
			s.fails("count of -1", func(tx vault.Tx) error {
				return tx.SaveLedger(s.ctx, ledgerOf(u.ID, -1, 1))
			})
			s.wantUser(u)
		}},
		{
			"the end of the chain is saved in the transaction that deletes the user, and after it",
			func(s subject) {
				u := s.addUser("ann")
				s.update(func(tx vault.Tx) error {
					if err := tx.DeleteUser(s.ctx, u.ID, moment(1)); err != nil {
						return err
					}
					return tx.SaveLedger(s.ctx, ledgerOf(u.ID, 0, 9))
				})
				s.update(func(tx vault.Tx) error {
					return tx.SaveLedger(s.ctx, ledgerOf(u.ID, 0, 10))
				})
				missing(s, "ledger of a deleted user", readLedger(u.ID))
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
	for seq := range uint64(2) {
		want := vault.Ledger{Owner: id, Head: audit.Head{Seq: seq + 1, Hash: random32()}}
		s.update(func(tx vault.Tx) error { return tx.SaveInstance(s.ctx, want) })
		s.wantSame("instance", got(s, readInstance), want)
		s.update(lock)
	}
	s.refuses(vault.Conflict, "a second instance", func(tx vault.Tx) error {
		return tx.SaveInstance(s.ctx, vault.Ledger{Owner: newID()})
	})
}

func readInstance(ctx context.Context, r vault.Reader) (vault.Ledger, error) {
	return r.InstanceLedger(ctx)
}

func readLedger(user uuid.UUID) reads[vault.Ledger] {
	return func(ctx context.Context, r vault.Reader) (vault.Ledger, error) {
		return r.Ledger(ctx, user)
	}
}

func ledgerOf(user uuid.UUID, secrets int, seq uint64) vault.Ledger {
	return vault.Ledger{
		Owner:    user,
		Secrets:  secrets,
		OwnerKey: newID(),
		Head:     audit.Head{Seq: seq, Hash: random32()},
	}
}
