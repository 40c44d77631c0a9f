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
			s.update(func(ctx context.Context, tx vault.Tx) error { return tx.InsertUser(ctx, u) })
			s.wantSame(
				"ledger",
				got(s, readLedger(u.ID)),
				vault.Ledger{User: u.ID, OwnerKey: u.OwnerKey},
			)
		}},
		{"a ledger is read back as it was saved", func(s subject) {
			u := s.addUser("ann")
			for _, l := range []vault.Ledger{
				ledgerOf(u.ID, 1, 1), ledgerOf(u.ID, 0, 2), ledgerOf(u.ID, 200, most), {User: u.ID},
			} {
				s.update(
					func(ctx context.Context, tx vault.Tx) error { return tx.SaveLedger(ctx, l) },
				)
				s.wantSame("ledger", got(s, readLedger(u.ID)), l)
			}
		}},
		{"a saved ledger shows in the user", func(s subject) {
			u := s.addUser("ann")
			l := ledgerOf(u.ID, 12, 34)
			s.update(func(ctx context.Context, tx vault.Tx) error { return tx.SaveLedger(ctx, l) })
			u.Secrets, u.OwnerKey = l.Secrets, l.OwnerKey
			s.wantUser(u)
		}},
		{"a saved ledger leaves the others alone", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			s.update(
				func(ctx context.Context, tx vault.Tx) error {
					return tx.SaveLedger(ctx, ledgerOf(ann.ID, 3, 4))
				},
			)
			s.wantUser(bob)
			s.wantSame(
				"ledger",
				got(s, readLedger(bob.ID)),
				vault.Ledger{User: bob.ID, OwnerKey: bob.OwnerKey},
			)
		}},
		{"a library cannot have fewer than no secrets", func(s subject) {
			u := s.addUser("ann")
			s.fails(
				"count of -1",
				func(ctx context.Context, tx vault.Tx) error {
					return tx.SaveLedger(ctx, ledgerOf(u.ID, -1, 1))
				},
			)
			s.wantUser(u)
		}},
		{
			"the end of the chain is saved in the transaction that deletes the user, and after it",
			func(s subject) {
				u := s.addUser("ann")
				s.update(func(ctx context.Context, tx vault.Tx) error {
					if err := tx.DeleteUser(ctx, u.ID, moment(1)); err != nil {
						return err
					}
					return tx.SaveLedger(ctx, ledgerOf(u.ID, 0, 9))
				})
				s.update(
					func(ctx context.Context, tx vault.Tx) error {
						return tx.SaveLedger(ctx, ledgerOf(u.ID, 0, 10))
					},
				)
				missing(s, "ledger of a deleted user", readLedger(u.ID))
			},
		},
	}
}

func readLedger(user uuid.UUID) func(context.Context, vault.Reader) (vault.Ledger, error) {
	return func(ctx context.Context, r vault.Reader) (vault.Ledger, error) { return r.Ledger(ctx, user) }
}

func ledgerOf(user uuid.UUID, secrets int, seq uint64) vault.Ledger {
	return vault.Ledger{
		User:     user,
		Secrets:  secrets,
		OwnerKey: newID(),
		Head:     audit.Head{Seq: seq, Hash: random32()},
	}
}
