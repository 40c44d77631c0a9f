package vault_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// ownerKey returns the id of a user's owner key, and the wrapped key.
func (p *fixture) ownerKey(user uuid.UUID) (id string, wrapped []byte) {
	p.t.Helper()
	p.sqlRow(
		"SELECT id, wrapped FROM owner_keys WHERE user_id = ?", []any{user.String()}, &id, &wrapped,
	)
	return id, wrapped
}

func TestAnOwnerKeyThatWasTamperedWithOpensNothing(t *testing.T) {
	anns, bens := []string{
		"mask ONE",
		"value ONE",
		"mask TWO",
		"value TWO",
	}, []string{
		"mask BENS",
		"value BENS",
	}
	both := append(append([]string{}, anns...), bens...)
	for name, row := range map[string]struct {
		change func(s *scene, annsKey, bensKey string, anns, bens []byte)
		broken []string
	}{
		"wrapped keys swapped between users": {
			func(s *scene, annsKey, bensKey string, anns, bens []byte) {
				s.sql("UPDATE owner_keys SET wrapped = ? WHERE id = ?", bens, annsKey)
				s.sql("UPDATE owner_keys SET wrapped = ? WHERE id = ?", anns, bensKey)
			}, both,
		},
		"owner keys swapped between users": {
			func(s *scene, annsKey, bensKey string, _, _ []byte) {
				s.sql(
					"UPDATE owner_keys SET user_id = ? WHERE id = ?", s.ben.User.String(), annsKey,
				)
				s.sql(
					"UPDATE owner_keys SET user_id = ? WHERE id = ?", s.ann.User.String(), bensKey,
				)
			}, both,
		},
		"ids of owner keys swapped": {
			func(s *scene, annsKey, bensKey string, _, _ []byte) {
				s.sql("UPDATE owner_keys SET id = 'x' WHERE id = ?", annsKey)
				s.sql("UPDATE owner_keys SET id = ? WHERE id = ?", annsKey, bensKey)
				s.sql("UPDATE owner_keys SET id = ? WHERE id = 'x'", bensKey)
			}, both,
		},
		"a flipped bit": {
			func(s *scene, annsKey, _ string, anns, _ []byte) {
				anns[len(anns)/2] ^= 1
				s.sql("UPDATE owner_keys SET wrapped = ? WHERE id = ?", anns, annsKey)
			}, anns,
		},
		"a value in its place": {
			func(s *scene, annsKey, _ string, _, _ []byte) {
				s.sql(
					"UPDATE owner_keys SET wrapped = (SELECT sealed_value FROM secrets LIMIT 1) "+
						"WHERE id = ?",
					annsKey,
				)
			}, anns,
		},
		"the check value in its place": {
			func(s *scene, annsKey, _ string, _, _ []byte) {
				s.sql(
					"UPDATE owner_keys SET wrapped = (SELECT check_value FROM root_keys) "+
						"WHERE id = ?",
					annsKey,
				)
			}, anns,
		},
		"a missing one": {
			func(s *scene, _, bensKey string, _, _ []byte) {
				s.sql("DELETE FROM owner_keys WHERE id = ?", bensKey)
			},
			bens,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			annsKey, anns := s.ownerKey(s.ann.User)
			bensKey, bens := s.ownerKey(s.ben.User)
			row.change(s, annsKey, bensKey, anns, bens)
			s.restart() // or the keys are open already
			s.assertOnlyBroken(row.broken...)
		})
	}
}

func TestNothingIsSealedWithAnotherUsersOwnerKey(t *testing.T) {
	s := newScene(t)
	_, bens := s.ownerKey(s.ben.User)
	annsKey, _ := s.ownerKey(s.ann.User)
	s.sql("UPDATE owner_keys SET wrapped = ? WHERE id = ?", bens, annsKey)
	s.restart() // or the key is open already
	_, err := s.CreateSecret(t.Context(), s.ann, custom("THREE", fake("three's")))
	assertTampered(t, "a create", err)
	_, err = s.UpdateSecret(t.Context(), s.ann, s.one.ID, fake("another"))
	assertTampered(t, "an update", err)
	s.assertChain(s.ann.User)
}

func TestARootKeyIsCheckedAgainstTheDatabase(t *testing.T) {
	s := newScene(t)
	if _, err := s.CheckRootKeys(t.Context()); err != nil {
		t.Errorf("its own: %v", err)
	}
	_ = s.replaceRoot(rootKey(2))
	_, err := s.CheckRootKeys(t.Context())
	if !isRootKeyError(err) || !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("another: %v", err)
	}
	s.named.set(rootKey(1).ID(), rootKey(1))
	s.named.instance = nil // or the root key is open, and not checked again
	s.restart()
	s.sql("UPDATE root_keys SET check_value = (SELECT wrapped FROM owner_keys LIMIT 1)")
	if _, err := s.CheckRootKeys(t.Context()); !isRootKeyError(err) {
		t.Errorf("its own, after the check value was tampered with: %v", err)
	}
	s.sql("DELETE FROM root_keys")
	if _, err := s.CheckRootKeys(t.Context()); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("without one in the database: %v", err)
	}
}

func isRootKeyError(err error) bool {
	_, ok := errors.AsType[*vault.RootKeyError](err)
	return ok
}

// replaceRoot restarts the vault with another root key in the place of the database's. It returns
// why the instance key does not open.
func (p *fixture) replaceRoot(root seal.RootKey) error {
	p.named.set(rootKey(1).ID(), root)
	ids := p.named.instance
	p.named.instance = nil
	p.restart()
	p.named.instance = ids
	return p.OpenInstanceKeys(p.t.Context())
}

func TestWithAnotherRootKeyNothingOpensAndNothingIsMade(t *testing.T) {
	s := newScene(t)
	before := s.entries()
	if err := s.replaceRoot(rootKey(2)); !isRootKeyError(err) {
		t.Errorf("the instance key: %v", err)
	}
	for _, secret := range []vault.Secret{s.one, s.two} {
		got, err := s.GetSecret(t.Context(), s.ann, secret.ID)
		if err == nil || got.Mask != "" {
			t.Errorf("the mask of %s: %v", secret.Name, err)
		}
		value, err := vaulttest.OpenSecret(t.Context(), s.Service, s.ann, secret.ID)
		if err == nil || value.Len() > 0 {
			t.Errorf("the value of %s: %v", secret.Name, err)
		}
	}
	if _, err := s.CreateSecret(
		t.Context(), s.ann, custom("THREE", fake("three's"))); err == nil {
		t.Error("a secret was made")
	}
	if _, err := s.CreateUser(t.Context(), s.admin, userRequest("cy")); err == nil {
		t.Error("a user was made, whose owner key no root key of this database wraps")
	}
	if _, err := s.CreateAdmin(t.Context(), username("cy"), keyName("first")); err == nil {
		t.Error("the operator could make one")
	}
	if n := s.entries() - before; n != 0 {
		t.Errorf("%d entries were recorded", n)
	}
	s.must(s.replaceRoot(rootKey(1)))
	s.assertOnlyBroken()
}
