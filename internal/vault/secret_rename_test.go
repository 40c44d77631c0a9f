package vault_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

func (p *fixture) rename(id uuid.UUID, to string) vault.Secret {
	p.t.Helper()
	renamed, err := p.RenameSecret(p.t.Context(), p.admin, id, secretName(to))
	p.must(err)
	return renamed
}

func TestARenamedSecretKeepsItsValueItsVersionsAndItsTimes(t *testing.T) {
	p := start(t)
	id := p.values("A", "abc")
	before, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	renamed := p.rename(id, "B")
	want := before
	want.Name = "B"
	if renamed != want || renamed.Tag() == before.Tag() {
		t.Errorf("%+v became %+v", before, renamed)
	}
	target := audit.Target{Kind: audit.TargetSecret, ID: id, Name: "B", Version: 3}
	if e := p.last(); e.Action != "secret.rename" || e.Target != target {
		t.Errorf("the entry is %+v", e)
	}
	p.restart()
	p.assertSeen(id, "*3c 2b 1a")
	p.assertOpens(p.admin, id, letter("c"))
	p.secret(p.admin, "A", letter("z")) // the name is free
	p.set(id, "d")
	if _, err := p.RollbackSecret(t.Context(), p.admin, id, 1); err != nil {
		t.Errorf("to a version that had the old name: %v", err)
	}
	p.assertSeen(id, "*5a 4d 3c 2b 1a")
	p.assertOpens(p.admin, id, letter("a"))
	p.must(p.RotateOwnerKey(t.Context(), p.admin.User))
	p.assertSeen(id, "*5a 4d 3c 2b 1a")
}

func TestASecretIsNotRenamedToWhatIsTakenOrForbidden(t *testing.T) {
	p := start(t)
	id, bob := p.values("A", "a"), p.user("bob")
	p.values("B", "b")
	rename := func(who vault.Actor, to vault.Name, anyOf ...vault.Tag) error {
		_, err := p.RenameSecret(t.Context(), who, id, to, anyOf...)
		return err
	}
	assertKind(t, "a name in use", rename(p.admin, secretName("B")), vault.Conflict)
	assertKind(t, "another user's", rename(bob, secretName("C")), vault.NotFound)
	assertKind(t, "without the scope",
		rename(with(p.admin, policy.SecretsRead), secretName("C")), vault.Denied)
	assertKind(t, "with another tag", rename(p.admin, secretName("C"), "other"), vault.Changed)
	assertBroken(t, "no name", rename(p.admin, vault.Name{}), "name too short")
	before := p.entries()
	if err := rename(p.admin, secretName("A")); err != nil || p.entries() != before+1 {
		t.Errorf("to its own name: %v", err)
	}
	p.assertSeen(id, "*1a")
	p.assertOpens(p.admin, id, letter("a"))
}

// A rotation reads the library, seals it anew and stores that, each for itself.
func TestARotationOfTheOwnerKeyLosesNoSecretThatIsRenamedMeanwhile(t *testing.T) {
	p := start(t)
	id, times, n := p.values("NAME", "ab"), 1000, 0
	_, operator := p.vaultOn(overtakenStore{p.db, &times, func() {
		n++
		p.rename(id, "NAME_"+string(rune('A'+n%26)))
		if n%3 == 0 {
			p.overwrite(id)
		}
	}})
	for range 3 {
		p.must(operator.RotateOwnerKey(t.Context(), p.admin.User))
		if n == 0 {
			t.Fatal("nothing was renamed")
		}
		p.restart()
		_, err := vaulttest.OpenSecret(t.Context(), p.Service, p.admin, id)
		p.must(err)
		versions, err := p.ListVersions(t.Context(), p.admin, id)
		p.must(err)
		for _, v := range versions {
			_, err := p.RollbackSecret(t.Context(), p.admin, id, v.Number)
			if err != nil && vault.KindOf(err) != vault.Invalid { // pruned by the ones before
				t.Error(err)
			}
		}
	}
	p.assertChain(p.admin.User)
}

func TestTheValueThatIsThereAlreadyMakesNoVersion(t *testing.T) {
	p := start(t)
	id := p.values("A", "ab")
	before, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	for range 2 {
		after, err := p.UpdateSecret(t.Context(), p.admin, id, letter("b"))
		if err != nil || after != before {
			t.Errorf("%v: %+v became %+v", err, before, after)
		}
	}
	if e := p.last(); e.Action != "secret.update" || e.Target.Version != 2 {
		t.Errorf("the entry is %+v", e)
	}
	p.assertSeen(id, "*2b 1a")
	p.set(id, "a")
	p.assertSeen(id, "*3a 2b 1a")
}

// Otherwise an update would say whether a guess is right.
func TestWhoMayNotReadAValueDoesNotLearnThatItIsTheSame(t *testing.T) {
	p := start(t)
	id := p.values("A", "a")
	writer := with(p.admin, policy.SecretsWrite)
	before, err := p.GetSecret(t.Context(), p.admin, id)
	p.must(err)
	after, err := p.UpdateSecret(t.Context(), writer, id, letter("a"))
	if err != nil || !after.UpdatedAt.After(before.UpdatedAt) || after.Tag() == before.Tag() {
		t.Errorf("%v: %+v became %+v", err, before, after)
	}
	p.assertSeen(id, "*2a 1a")
}

func TestAnUpdateMendsAValueThatWasTamperedWith(t *testing.T) {
	p := start(t)
	id := p.values("A", "a")
	p.sql("UPDATE secrets SET sealed_value = ? WHERE id = ?", []byte("garbage"), id.String())
	p.set(id, "b")
	p.assertOpens(p.admin, id, letter("b"))
}
