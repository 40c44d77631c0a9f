package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func healthBehaviours() []behaviour {
	return []behaviour{
		{"what a provider said last of a secret is kept, until the secret is deleted", keepsHealth},
	}
}

func keepsHealth(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	first, second := s.addSecret(ann.Owner, "A"), s.addSecret(ann.Owner, "B")
	missing(s, "health before any", readHealth(ann.Owner, first.ID))
	row := func(secret uuid.UUID, at time.Time, outcome string) vault.StoredHealth {
		return vault.StoredHealth{
			User: ann.Owner, Secret: secret, Version: 3, Stamp: first.Stamp, Outcome: outcome,
			Check: "models", Status: 200, Note: "a note", Facts: `{"account":"a"}`,
			KeyExpiresAt: moment(9), At: at, InstanceKey: newID(), Code: [32]byte{1, 2},
		}
	}
	was := row(first.ID, moment(1), "valid")
	is := row(first.ID, moment(2), "invalid")
	is.KeyExpiresAt = time.Time{}
	other := row(second.ID, moment(3), "blocked")
	s.update(func(tx vault.Tx) error {
		return errors.Join(tx.SaveHealth(s.ctx, was), tx.SaveHealth(s.ctx, is),
			tx.SaveHealth(s.ctx, other))
	})
	s.wantSame("health", got(s, readHealth(ann.Owner, first.ID)), is)
	missing(s, "health of another user", readHealth(bob.Owner, first.ID))
	all := func(user uuid.UUID) []vault.StoredHealth {
		return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredHealth, error) {
			return r.Healths(ctx, user)
		})
	}
	s.wantSame("number of rows", len(all(ann.Owner)), 2)
	s.wantSame("another user's", all(bob.Owner), []vault.StoredHealth{})
	s.update(func(tx vault.Tx) error { return tx.DeleteSecret(s.ctx, ann.Owner, first.ID) })
	s.wantSame("after a secret is gone", all(ann.Owner), []vault.StoredHealth{other})
	s.update(func(tx vault.Tx) error { return tx.DeleteSecrets(s.ctx, ann.Owner) })
	s.wantSame("after all are gone", all(ann.Owner), []vault.StoredHealth{})
}

func readHealth(user, secret uuid.UUID) reads[vault.StoredHealth] {
	return func(ctx context.Context, r vault.Reader) (vault.StoredHealth, error) {
		return r.Health(ctx, user, secret)
	}
}
