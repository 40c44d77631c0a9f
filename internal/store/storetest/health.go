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
		{"what requests showed of a key is kept of its current version", keepsEvidence},
		{"a probe that is due is hastened, and never put off or made", hastensProbes},
	}
}

func keepsEvidence(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	a := s.addSecret(ann.Owner, "A")
	l := s.addLease(ann.Owner, nil)
	l.Secrets = []vault.LeasedSecret{{ID: a.ID, Name: "A"}}
	note := func(user, secret uuid.UUID, e vault.KeyEvidence) {
		s.update(func(tx vault.Tx) error { return tx.NoteEvidence(s.ctx, user, secret, e) })
	}
	note(ann.Owner, a.ID, vault.KeyEvidence{Stamp: a.Stamp, WorkedAt: moment(1)})
	missing(s, "of a secret that was not used", readUse(ann.Owner, a.ID))
	s.update(func(tx vault.Tx) error { return tx.CountUses(s.ctx, l, moment(1)) })
	want := vault.SecretUse{User: ann.Owner, Secret: a.ID, Uses: 1, At: moment(1), Lease: l.ID}
	is := func(what string, e vault.KeyEvidence) {
		s.Helper()
		want.KeyEvidence = e
		s.wantSame(what, got(s, readUse(ann.Owner, a.ID)), want)
	}
	is("before any", vault.KeyEvidence{})
	note(ann.Owner, a.ID, vault.KeyEvidence{Stamp: a.Stamp, RefusedAt: moment(3)})
	note(ann.Owner, a.ID, vault.KeyEvidence{
		Stamp: a.Stamp, WorkedAt: moment(4), RefusedAt: moment(2),
	})
	both := vault.KeyEvidence{Stamp: a.Stamp, WorkedAt: moment(4), RefusedAt: moment(3)}
	is("the newest of both", both)
	other := vault.KeyEvidence{Stamp: a.Stamp, WorkedAt: moment(9), RefusedAt: moment(9)}
	note(bob.Owner, a.ID, other)
	other.Stamp[0]++
	note(ann.Owner, a.ID, other)
	is("after another user's, and another version's", both)
	s.update(func(tx vault.Tx) error { return tx.CountUses(s.ctx, l, moment(5)) })
	want.Uses, want.At = 2, moment(5)
	is("after another use", both)
	a.Stamp, a.Version = other.Stamp, a.Version+1
	s.update(func(tx vault.Tx) error { return tx.UpdateSecret(s.ctx, a) })
	note(ann.Owner, a.ID, both)
	is("after an old version's", both)
	next := vault.KeyEvidence{Stamp: a.Stamp, WorkedAt: moment(2)}
	note(ann.Owner, a.ID, next)
	is("of the next version alone", next)
}

func hastensProbes(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	due := func(user uuid.UUID) time.Time { return got(s, readUser(user)).ProbeDueAt }
	hasten := func(user uuid.UUID, at time.Time) {
		s.update(func(tx vault.Tx) error { return tx.HastenProbe(s.ctx, user, at) })
	}
	others := due(bob.Owner)
	at := due(ann.Owner)
	hasten(ann.Owner, at.Add(time.Hour))
	s.wantSame("put off", due(ann.Owner), at)
	hasten(ann.Owner, at.Add(-time.Hour))
	s.wantSame("hastened", due(ann.Owner), at.Add(-time.Hour))
	s.wantSame("another user's", due(bob.Owner), others)
	s.update(func(tx vault.Tx) error { return tx.SetProbeDue(s.ctx, ann.Owner, time.Time{}) })
	hasten(ann.Owner, at)
	s.wantSame("made", due(ann.Owner), time.Time{})
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
