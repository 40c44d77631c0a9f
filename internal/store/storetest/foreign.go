package storetest

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func foreignBehaviours() []behaviour {
	return []behaviour{
		{"another user's secret is not found by any method, and stays as it is", func(s subject) {
			ann, bob := s.addUser("ann"), s.addUser("bob")
			n := s.addSecret(ann.ID, "TOKEN")
			s.addSecret(bob.ID, "TOKEN")
			s.secretMissing(bob.ID, n.ID)
			s.wantSecret(n)
		}},
		{"an unknown secret is not found by any method", func(s subject) {
			ann := s.addUser("ann")
			n := s.addSecret(ann.ID, "TOKEN")
			for _, id := range []uuid.UUID{newID(), uuid.Nil, ann.ID} {
				s.secretMissing(ann.ID, id)
			}
			for _, user := range []uuid.UUID{newID(), uuid.Nil, n.ID} {
				s.secretMissing(user, n.ID)
			}
			s.wantSecret(n)
		}},
		{"what names another user's rows answers as what names no rows", foreignAnswersAlike},
	}
}

// secretMissing checks that every method that takes a secret's id answers NotFound.
func (s subject) secretMissing(user, id uuid.UUID) {
	s.Helper()
	missing(s, "Secret", readSecret(user, id))
	missing(s, "SealedValue", readSealed(user, id))
	change := secretOf(user, "TOKEN")
	change.ID, change.Version = id, 2
	s.refuses(vault.NotFound, "UpdateSecret", func(tx vault.Tx) error {
		return tx.UpdateSecret(s.ctx, change)
	})
	s.refuses(vault.NotFound, "DeleteSecret", func(tx vault.Tx) error {
		return tx.DeleteSecret(s.ctx, user, id)
	})
}

// foreignAnswersAlike compares the errors' texts: a difference would tell which ids there are.
func foreignAnswersAlike(s subject) {
	ann, bob, root := s.addUser("ann"), s.addUser("bob"), s.addRootKey()
	n, k := s.addSecret(ann.ID, "TOKEN"), s.addAPIKey(ann.ID, nil)
	owner := s.addOwnerKey(ann.ID, root.ID)
	for what, do := range map[string]func(ctx context.Context, tx vault.Tx, id uuid.UUID) error{
		"Secret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.Secret(ctx, bob.ID, id)
			return err
		},
		"SealedValue": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.SealedValue(ctx, bob.ID, id)
			return err
		},
		"UpdateSecret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			change := secretOf(bob.ID, "TOKEN")
			change.ID = id
			return tx.UpdateSecret(ctx, change)
		},
		"DeleteSecret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.DeleteSecret(ctx, bob.ID, id)
		},
		"RevokeAPIKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.RevokeAPIKey(ctx, bob.ID, id, moment(0))
			return err
		},
		"APIKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.APIKey(ctx, bob.ID, id, now())
			return err
		},
		"OwnerKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.OwnerKey(ctx, bob.ID, id)
			return err
		},
	} {
		unknown := s.try(func(tx vault.Tx) error { return do(s.ctx, tx, newID()) })
		s.wantKind(vault.NotFound, what+" of an unknown id", unknown)
		for _, id := range []uuid.UUID{n.ID, k.ID, owner.ID} {
			foreign := s.try(func(tx vault.Tx) error { return do(s.ctx, tx, id) })
			if unknown == nil || foreign == nil || foreign.Error() != unknown.Error() {
				s.Errorf(
					"%s: another user's id answers %v, an unknown one %v", what, foreign, unknown,
				)
			}
		}
	}
}
