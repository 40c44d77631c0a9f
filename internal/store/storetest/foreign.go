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
			n := s.addSecret(ann.Owner, "TOKEN")
			s.addSecret(bob.Owner, "TOKEN")
			s.secretMissing(bob.Owner, n.ID)
			s.wantSecret(n)
		}},
		{"an unknown secret is not found by any method", func(s subject) {
			ann := s.addUser("ann")
			n := s.addSecret(ann.Owner, "TOKEN")
			for _, id := range []uuid.UUID{newID(), uuid.Nil, ann.Owner} {
				s.secretMissing(ann.Owner, id)
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
	n, k := s.addSecret(ann.Owner, "TOKEN"), s.addAPIKey(ann.Owner, nil)
	owner := s.addOwnerKey(ann.Owner, root.ID)
	for what, do := range map[string]func(ctx context.Context, tx vault.Tx, id uuid.UUID) error{
		"Secret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.Secret(ctx, bob.Owner, id)
			return err
		},
		"SealedValue": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.SealedValue(ctx, bob.Owner, id)
			return err
		},
		"UpdateSecret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			change := secretOf(bob.Owner, "TOKEN")
			change.ID = id
			return tx.UpdateSecret(ctx, change)
		},
		"DeleteSecret": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.DeleteSecret(ctx, bob.Owner, id)
		},
		"RevokeAPIKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.RevokeAPIKey(ctx, bob.Owner, id, moment(0))
		},
		"DeleteAPIKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.DeleteAPIKey(ctx, bob.Owner, id)
		},
		"SuspendAPIKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.SuspendAPIKey(ctx, bob.Owner, id)
		},
		"SetAPIKeyParent": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.SetAPIKeyParent(ctx, bob.Owner, id, uuid.Nil)
		},
		"SetAPIKeyTerms": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			return tx.SetAPIKeyTerms(ctx, bob.Owner, id, "{}")
		},
		"OwnerKey": func(ctx context.Context, tx vault.Tx, id uuid.UUID) error {
			_, err := tx.OwnerKey(ctx, bob.Owner, id)
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
