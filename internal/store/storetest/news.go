package storetest

import (
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
