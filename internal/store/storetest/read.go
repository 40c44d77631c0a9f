package storetest

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/vault"
)

func readBehaviours() []behaviour {
	return []behaviour{
		{"a read sees what is committed, and nothing of an update that goes on", func(s subject) {
			ann := s.addUser("ann")
			var during error
			s.update(func(ctx context.Context, tx vault.Tx) error {
				err := tx.DeleteUser(ctx, ann.ID, moment(1))
				during = s.Read(ctx, func(r vault.Reader) error {
					_, err := r.User(ctx, ann.ID, moment(0))
					return err
				})
				return err
			})
			s.wantNoError(during)
			missing(s, "deleted user", readUser(ann.ID))
		}},
		{"a read's error is returned, and leaves the store usable", func(s subject) {
			u := s.addUser("ann")
			for range 100 {
				err := s.Read(s.Context(), func(vault.Reader) error { return errOwn })
				if !errors.Is(err, errOwn) {
					s.Errorf("got %v, want the read's own error", err)
				}
			}
			s.wantUser(u)
		}},
		{"a read does not end a view or an update around it", func(s subject) {
			ann, bob := s.addUser("ann"), userNamed("bob")
			read := func(ctx context.Context) error {
				return s.Read(ctx, func(r vault.Reader) error {
					_, err := r.User(ctx, ann.ID, moment(0))
					return err
				})
			}
			s.update(func(ctx context.Context, tx vault.Tx) error {
				return errors.Join(read(ctx), tx.InsertUser(ctx, bob), read(ctx))
			})
			s.wantNoError(s.View(s.Context(), func(r vault.Reader) error {
				_, before := r.User(s.Context(), bob.ID, moment(0))
				err := read(s.Context())
				_, after := r.User(s.Context(), bob.ID, moment(0))
				return errors.Join(before, err, after)
			}))
		}},
	}
}
