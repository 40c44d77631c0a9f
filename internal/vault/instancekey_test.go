package vault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

func noProgress(int, int) {}

// addInstanceKey adds an instance key, which the configuration then names first.
func (p *fixture) addInstanceKey() uuid.UUID {
	p.t.Helper()
	key := must(seal.NewInstanceKey())
	p.added = key
	p.must(p.AddInstanceKey(p.t.Context(), key))
	p.named.setInstance(append([]uuid.UUID{key.ID()}, p.named.instance...)...)
	p.must(p.OpenInstanceKeys(p.t.Context()))
	return key.ID()
}

// rotateInstanceKey does all steps of a rotation.
func (p *fixture) rotateInstanceKey() uuid.UUID {
	p.t.Helper()
	id := p.addInstanceKey()
	_, err := p.Resign(p.t.Context(), false, noProgress)
	p.must(err)
	p.must(p.DropInstanceKeys(p.t.Context()))
	p.named.setInstance(id)
	return id
}

// isNext believes the key that was added last.
func (p *fixture) isNext(id uuid.UUID) (seal.InstanceKey, bool) {
	return p.added, id == p.added.ID()
}

// signAnew signs the next ledger of a user with the fixture's key, whatever key signed the last.
func (p *fixture) signAnew(user uuid.UUID, keys anchor.Keys, change func(*anchor.Ledger)) {
	p.t.Helper()
	p.must(p.db.Update(p.t.Context(), func(tx vault.Tx) error {
		stored, err := tx.LockLedger(p.t.Context(), user)
		p.must(err)
		l, _, err := anchor.Open(stored.Signed, user, keys)
		p.must(err)
		was := stored.Number
		l.Next(p.clock.now())
		change(&l)
		stored.Number = l.Number
		stored.Signed, err = l.Sign(p.key)
		p.must(err)
		return tx.SaveLedger(p.t.Context(), stored, was)
	}))
}

func (p *fixture) signers() map[uuid.UUID]int {
	p.t.Helper()
	signed, err := p.LedgerSigners(p.t.Context())
	p.must(err)
	return signed
}

func TestAnotherServerMeetsARotatedInstanceKeyInWhateverItDoesFirst(t *testing.T) {
	for what, first := range map[string]func(*fixture, *vault.Service, vault.Actor) error{
		"a list of users": func(p *fixture, s *vault.Service, _ vault.Actor) error {
			users, err := s.ListUsers(p.t.Context(), p.admin)
			if slices.ContainsFunc(users, func(u vault.User) bool { return u.Broken }) {
				err = errors.New("a user is broken")
			}
			return err
		},
		"a new user": func(p *fixture, s *vault.Service, _ vault.Actor) error {
			_, err := s.CreateUser(p.t.Context(), p.admin, userRequest("new"))
			return err
		},
		"a new secret": func(p *fixture, s *vault.Service, mia vault.Actor) error {
			_, err := s.CreateSecret(p.t.Context(), mia, custom("NEW", fake("new")))
			return err
		},
		"a list of secrets": func(p *fixture, s *vault.Service, mia vault.Actor) error {
			_, err := s.ListSecrets(p.t.Context(), mia)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t)
			mia := p.user("mia")
			p.secret(mia, "ONE", fake("one"))
			other, _ := p.newVault()
			id := p.rotateInstanceKey()
			p.must(first(p, other, mia))
			p.must2(p.CreateUser(t.Context(), p.admin, userRequest("another")))
			if n := other.Tamperings(); n > 0 {
				t.Errorf("%d uses found the database tampered with", n)
			}
			if signed := p.signers(); len(signed) != 1 || signed[id] == 0 {
				t.Errorf("ledgers are signed by %v, want only %s", signed, id)
			}
		})
	}
}

func (p *fixture) must2(_ any, err error) {
	p.t.Helper()
	p.must(err)
}

func TestAnInstanceKeyThatWasDestroyedSignsNoNewUser(t *testing.T) {
	p := start(t)
	old := p.named.instance
	other, _ := p.newVault()
	p.rotateInstanceKey()
	p.named.setInstance(old...)
	if _, err := other.CreateUser(t.Context(), p.admin, userRequest("new")); err == nil {
		t.Error("a user was created")
	}
	if signed := p.signers(); signed[old[0]] > 0 {
		t.Error("the old key has signed a ledger")
	}
}

func TestALedgerThatTheOldInstanceKeySignedMeanwhileHoldsUpItsEnd(t *testing.T) {
	p := start(t)
	user, err := p.CreateUser(t.Context(), p.admin, userRequest("mia"))
	p.must(err)
	p.addInstanceKey()
	p.must2(p.Resign(t.Context(), false, noProgress))
	// as a server signs that has not met the new key yet
	p.signAnew(user.ID, p.isNext, func(*anchor.Ledger) {})
	if err := p.DropInstanceKeys(t.Context()); vault.KindOf(err) != vault.Conflict {
		t.Errorf("the old key was destroyed: %v", err)
	}
	p.must2(p.Resign(t.Context(), false, noProgress))
	p.must(p.DropInstanceKeys(t.Context()))
}

func TestATamperedUserKeepsNoOtherFromANewInstanceKey(t *testing.T) {
	s := newScene(t)
	victim := s.ann.User
	s.sql("UPDATE users SET full_name = 'another' WHERE id = ?", victim.String())
	id := s.addInstanceKey()
	_, err := s.Resign(t.Context(), false, noProgress)
	unsigned, ok := errors.AsType[*vault.UnsignedError](err)
	if !ok || !slices.Equal(unsigned.Users, []uuid.UUID{victim}) {
		t.Fatalf("unsigned: %v", err)
	}
	if signed := s.signers(); signed[id] != 3 || signed[s.key.ID()] != 1 {
		t.Errorf("ledgers are signed by %v", signed)
	}
	if err := s.DropInstanceKeys(t.Context()); vault.KindOf(err) != vault.Conflict {
		t.Errorf("the old key was destroyed: %v", err)
	}
	entries := s.newEntries(s.instance(), func() {
		s.must(s.DropInstanceKeys(t.Context(), victim))
	})
	if len(entries) != 2 || entries[0].Target.ID != victim {
		t.Errorf("it is recorded as %v", entries)
	}
	s.named.setInstance(id)
	s.restart()
	users, err := s.ListUsers(t.Context(), s.admin)
	s.must(err)
	for _, u := range users {
		if u.Broken != (u.ID == victim) {
			t.Errorf("user %s is broken: %t", u.ID, u.Broken)
		}
	}
}
