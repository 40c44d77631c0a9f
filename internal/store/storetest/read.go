package storetest

import (
	"errors"

	"github.com/keysake/keysake/internal/vault"
)

func readBehaviours() []behaviour {
	return []behaviour{
		{"a read sees what is committed, and nothing of an update that goes on", func(s subject) {
			ann := s.addUser("ann")
			var during error
			s.update(func(tx vault.Tx) error {
				err := tx.DeleteUser(s.ctx, ann.Owner, moment(1))
				during = s.Read(s.ctx, func(r vault.Reader) error {
					_, err := r.UserNamed(s.ctx, ann.Username)
					return err
				})
				return err
			})
			s.wantNoError(during)
			missing(s, "deleted user", readUserNamed(ann.Username))
		}},
		{"a read's error is returned, and leaves the store usable", func(s subject) {
			u := s.addUser("ann")
			for range 100 {
				err := s.Read(s.ctx, func(vault.Reader) error { return errOwn })
				if !errors.Is(err, errOwn) {
					s.Errorf("got %v, want the read's own error", err)
				}
			}
			s.wantUser(u)
		}},
		{"a read does not end a view or an update around it", func(s subject) {
			ann, bob := s.addUser("ann"), NewUser("bob")
			read := func() error {
				return s.Read(s.ctx, func(r vault.Reader) error {
					_, err := r.User(s.ctx, ann.Owner)
					return err
				})
			}
			s.update(func(tx vault.Tx) error {
				return errors.Join(read(), tx.InsertUser(s.ctx, bob), read())
			})
			s.wantNoError(s.View(s.ctx, func(r vault.Reader) error {
				_, before := r.User(s.ctx, bob.Owner)
				err := read()
				_, after := r.User(s.ctx, bob.Owner)
				return errors.Join(before, err, after)
			}))
		}},
	}
}
