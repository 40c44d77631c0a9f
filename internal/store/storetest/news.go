package storetest

import (
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func newsBehaviours() []behaviour {
	return []behaviour{
		{"an update of a ledger is told before it is answered", func(s subject) {
			u := s.addUser("ann")
			for number := range uint64(20) {
				since := s.Moment()
				s.saveLedger(u.Owner, number, number+1)
				if s.Unchanged(u.Owner, since) {
					s.Errorf("ledger %d is told to be unchanged", number)
				}
			}
		}},
		{"one of the instance's ledger concerns every user", func(s subject) {
			since := s.Moment()
			s.update(func(tx vault.Tx) error {
				return tx.SaveInstance(s.ctx, ledgerOf(newID(), 1), 0)
			})
			for _, user := range []uuid.UUID{uuid.Nil, newID()} {
				if s.Unchanged(user, since) {
					s.Errorf("what is of %s is told to be unchanged", user)
				}
			}
		}},
		{"access that was taken is told before it is answered", func(s subject) {
			u := s.addUser("ann")
			for number := range uint64(5) {
				since := s.Moment()
				s.update(func(tx vault.Tx) error {
					err := tx.SaveLedger(s.ctx, ledgerOf(u.Owner, number+1), number)
					return errors.Join(err, tx.TellAccess(s.ctx, u.Owner))
				})
				if s.SameAccess(u.Owner, since) {
					s.Errorf("after ledger %d access is told to be the same", number)
				}
			}
			since := s.Moment()
			s.update(func(tx vault.Tx) error {
				err := tx.SaveInstance(s.ctx, ledgerOf(newID(), 1), 0)
				return errors.Join(err, tx.TellAccess(s.ctx, uuid.Nil))
			})
			if s.SameAccess(newID(), since) {
				s.Error("after the instance's ledger, access is told to be the same")
			}
		}},
		{"updates that share a commit are numbered each", updatesAreNumbered},
		{"a user who is put back is another one", func(s subject) {
			u := s.addUser("ann")
			since := s.Moment()
			s.update(func(tx vault.Tx) error { return tx.PutUser(s.ctx, u) })
			if s.Unchanged(u.Owner, since) {
				s.Error("the user is told to be unchanged")
			}
		}},
	}
}

func updatesAreNumbered(s subject) {
	u := s.addUser("ann")
	moments := make([]uint64, 16)
	var all sync.WaitGroup
	for i := range moments {
		all.Go(func() {
			err := s.try(func(tx vault.Tx) error {
				l, err := tx.LockLedger(s.ctx, u.Owner)
				if err == nil {
					err = tx.SaveLedger(s.ctx, ledgerOf(u.Owner, l.Number+1), l.Number)
				}
				moments[i] = tx.Moment()
				return err
			})
			if err != nil {
				s.Errorf("an update failed: %v", err)
			}
		})
	}
	all.Wait()
	slices.Sort(moments)
	for i, moment := range moments[:len(moments)-1] {
		if moment != 0 && moment == moments[i+1] {
			s.Errorf("two updates have the number %d", moment)
		}
		if s.Unchanged(u.Owner, moment) {
			s.Errorf("ledger %d of %d is told to be unchanged", i, len(moments))
		}
	}
}
