package vault_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// A scene is a database before somebody who can write to it does.
type scene struct {
	*fixture
	ann, ben       vault.Actor
	one, two, bens vault.Secret // of ann the first two; one is of version 2
	values         map[uuid.UUID]vault.Value
	old            map[string]any // the columns of version 1 of one
}

func newScene(t *testing.T) *scene {
	t.Helper()
	p := start(t)
	s := &scene{fixture: p, ann: p.user("ann"), ben: p.user("ben")}
	s.one = s.secret(s.ann, "ONE", fake("one's first"))
	s.two = s.secret(s.ann, "TWO", fake("two's"))
	s.bens = s.secret(s.ben, "BENS", fake("ben's"))
	s.old = map[string]any{}
	for _, column := range []string{
		"version", "stamp", "sealed_mask", "sealed_value", "updated_at",
	} {
		s.old[column] = s.column(column, s.one.ID)
	}
	var err error
	if s.one, err = s.UpdateSecret(t.Context(), s.ann, s.one.ID, fake("one's second")); err != nil {
		t.Fatal(err)
	}
	s.values = map[uuid.UUID]vault.Value{
		s.one.ID:  fake("one's second"),
		s.two.ID:  fake("two's"),
		s.bens.ID: fake("ben's"),
	}
	s.assertOnlyBroken()
	return s
}

func (s *scene) blob(column string, id uuid.UUID) (blob []byte) {
	s.t.Helper()
	s.sqlRow("SELECT "+column+" FROM secrets WHERE id = ?", []any{id.String()}, &blob)
	return blob
}

func (s *scene) column(name string, id uuid.UUID) (v any) {
	s.t.Helper()
	s.sqlRow("SELECT "+name+" FROM secrets WHERE id = ?", []any{id.String()}, &v)
	return v
}

func (s *scene) put(column string, id uuid.UUID, blob any) {
	s.t.Helper()
	if s.sql("UPDATE secrets SET "+column+" = ? WHERE id = ?", blob, id.String()) != 1 {
		s.t.Fatal("nothing was put")
	}
}

// swap exchanges a column of two rows.
func (s *scene) swap(column string, a, b uuid.UUID) {
	s.t.Helper()
	inA, inB := s.column(column, a), s.column(column, b)
	s.put(column, a, inB)
	s.put(column, b, inA)
}

// assertOnlyBroken checks that of the named masks and values ("mask ONE", "value TWO") each is
// tampering, and that every other one is what it was: both in a service that has the owner keys
// open and in one that has just started.
func (s *scene) assertOnlyBroken(broken ...string) {
	s.t.Helper()
	s.assertEach(broken)
	s.restart()
	s.assertEach(broken) // the keys of what is whole are open again after this
}

func (s *scene) assertEach(broken []string) {
	s.t.Helper()
	for _, secret := range []vault.Secret{s.one, s.two, s.bens} {
		who := s.ann
		if secret.ID == s.bens.ID {
			who = s.ben
		}
		s.assertMask(who, secret, slices.Contains(broken, "mask "+secret.Name))
		s.assertValue(who, secret, slices.Contains(broken, "value "+secret.Name))
	}
}

func (s *scene) assertMask(who vault.Actor, want vault.Secret, broken bool) {
	s.t.Helper()
	read, err := s.GetSecret(s.t.Context(), who, want.ID)
	list, listErr := s.ListSecrets(s.t.Context(), who)
	if broken {
		assertTampered(s.t, "the mask of "+want.Name, err)
		assertTampered(s.t, "the list with "+want.Name, listErr)
		if read != (vault.Secret{}) || slices.Contains(list, want) {
			s.t.Errorf("the mask of %s: an error, and yet a secret", want.Name)
		}
		return
	}
	if err != nil || read != want {
		s.t.Errorf("%s reads as another secret (%v)", want.Name, err)
	}
}

func (s *scene) assertValue(who vault.Actor, secret vault.Secret, broken bool) {
	s.t.Helper()
	before := s.entries()
	value, err := vaulttest.OpenSecret(
		s.t.Context(), s.Service, with(who, policy.LeasesWrite), secret.ID)
	if !broken {
		if err != nil || !bytes.Equal(value.Reveal(), s.values[secret.ID].Plain().Reveal()) {
			s.t.Errorf("%s opens to another value (%v)", secret.Name, err)
		}
		return
	}
	assertTampered(s.t, "the value of "+secret.Name, err)
	if value.Len() > 0 {
		s.t.Errorf("the value of %s: an error, and yet a value", secret.Name)
	}
	if s.entries() != before {
		s.t.Errorf("it was recorded that %s was opened", secret.Name)
	}
}

func TestSealedDataThatWasMovedIsTamperingAndNeverAnotherValue(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*scene)
		broken []string
	}{
		"masks swapped between rows": {
			func(s *scene) { s.swap("sealed_mask", s.one.ID, s.two.ID) },
			[]string{"mask ONE", "value ONE", "mask TWO", "value TWO"},
		},
		"values swapped between rows": {
			func(s *scene) { s.swap("sealed_value", s.one.ID, s.two.ID) },
			[]string{"value ONE", "value TWO"},
		},
		"masks swapped between users": {
			func(s *scene) { s.swap("sealed_mask", s.one.ID, s.bens.ID) },
			[]string{"mask ONE", "value ONE", "mask BENS", "value BENS"},
		},
		"values swapped between users": {
			func(s *scene) { s.swap("sealed_value", s.one.ID, s.bens.ID) },
			[]string{"value ONE", "value BENS"},
		},
		"a value in the column of masks": {
			func(s *scene) { s.put("sealed_mask", s.one.ID, s.blob("sealed_value", s.one.ID)) },
			[]string{"mask ONE", "value ONE"},
		},
		"a mask in the column of values": {
			func(s *scene) { s.put("sealed_value", s.one.ID, s.blob("sealed_mask", s.one.ID)) },
			[]string{"value ONE"},
		},
		"the mask of the version before": {func(s *scene) {
			s.put("sealed_mask", s.one.ID, s.old["sealed_mask"])
		}, []string{"mask ONE", "value ONE"}},
		"the value of the version before": {func(s *scene) {
			s.put("sealed_value", s.one.ID, s.old["sealed_value"])
		}, []string{"value ONE"}},
		"both of the version before": {
			func(s *scene) {
				s.put("sealed_mask", s.one.ID, s.old["sealed_mask"])
				s.put("sealed_value", s.one.ID, s.old["sealed_value"])
			},
			[]string{"mask ONE", "value ONE"},
		},
		"the number of the version before": {func(s *scene) {
			s.put("version", s.one.ID, 1)
		}, []string{"mask ONE", "value ONE"}},
		"the number of a version to come": {func(s *scene) {
			s.put("version", s.two.ID, 2)
		}, []string{"mask TWO", "value TWO"}},
		"versions of two rows swapped": {
			func(s *scene) {
				s.put("version", s.one.ID, 1)
				s.put("version", s.two.ID, 2)
			},
			[]string{"mask ONE", "value ONE", "mask TWO", "value TWO"},
		},
		"ids swapped": {
			func(s *scene) {
				third := uuid.Must(uuid.NewV7())
				s.put("id", s.one.ID, third.String())
				s.put("id", s.two.ID, s.one.ID.String())
				s.put("id", third, s.two.ID.String())
			},
			[]string{"mask ONE", "value ONE", "mask TWO", "value TWO"},
		},
		"the stamp of the version before": {func(s *scene) {
			s.put("stamp", s.one.ID, s.old["stamp"])
		}, []string{"mask ONE", "value ONE"}},
		"stamps swapped between rows": {
			func(s *scene) { s.swap("stamp", s.one.ID, s.two.ID) },
			[]string{"mask ONE", "value ONE", "mask TWO", "value TWO"},
		},
		"another name": {func(s *scene) {
			s.put("name", s.one.ID, "OTHER")
		}, []string{"mask ONE", "value ONE"}},
		"names swapped between users": {
			func(s *scene) { s.swap("name", s.one.ID, s.bens.ID) },
			[]string{"mask ONE", "value ONE", "mask BENS", "value BENS"},
		},
		"another provider": {func(s *scene) {
			s.put("provider", s.one.ID, "github")
		}, []string{"mask ONE", "value ONE"}},
		"the birth of another": {func(s *scene) {
			s.put("created_at", s.two.ID, s.column("created_at", s.one.ID))
		}, []string{"mask TWO", "value TWO"}},
		"the time of the version before": {func(s *scene) {
			s.put("updated_at", s.one.ID, s.old["updated_at"])
		}, []string{"mask ONE", "value ONE"}},
		"an empty mask": {func(s *scene) {
			s.put("sealed_mask", s.one.ID, []byte{})
		}, []string{"mask ONE", "value ONE"}},
		"an empty value": {func(s *scene) {
			s.put("sealed_value", s.one.ID, []byte{})
		}, []string{"value ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			row.change(s)
			s.assertOnlyBroken(row.broken...)
		})
	}
}

func TestARowThatWasGivenToAnotherUserOpensForNobody(t *testing.T) {
	s := newScene(t)
	s.put("user_id", s.one.ID, s.ben.User.String())
	for range 2 {
		s.assertMask(s.ben, s.one, true)
		s.assertValue(s.ben, s.one, true)
		_, err := s.GetSecret(t.Context(), s.ann, s.one.ID)
		assertTampered(t, "who had it before", err)
		s.restart()
	}
}

func TestNoFlippedBitAndNoMissingByteOfSealedDataIsOverlooked(t *testing.T) {
	s := newScene(t)
	db := s.connect() // one for all the bits: opening one takes longer than using it
	defer db.Close()
	for _, column := range []string{"sealed_mask", "sealed_value"} {
		s.restart() // PostgreSQL tells nobody of a row that was changed
		blob := s.blob(column, s.one.ID)
		var damaged [][]byte
		for i := range blob {
			flipped := bytes.Clone(blob)
			flipped[i] ^= 1 << (i % 8)
			damaged = append(damaged, flipped, blob[:i])
		}
		for _, blob := range damaged {
			if _, err := db.ExecContext(
				t.Context(), translated("UPDATE secrets SET "+column+" = ? WHERE id = ?"), blob,
				s.one.ID.String(),
			); err != nil {
				t.Fatal(err)
			}
			if column == "sealed_mask" {
				s.assertMask(s.ann, s.one, true)
			} else {
				s.assertValue(s.ann, s.one, true)
			}
		}
		s.put(column, s.one.ID, blob)
	}
	s.assertOnlyBroken()
}

// Only a row that the ledger lists says what there is to update or to delete.
func TestWhatWasTamperedWithIsNeitherUpdatedNorDeleted(t *testing.T) {
	s := newScene(t)
	s.put("name", s.one.ID, "OTHER")
	_, err := s.UpdateSecret(t.Context(), s.ann, s.one.ID, fake("another"))
	assertTampered(t, "an update", err)
	_, err = s.RollbackSecret(t.Context(), s.ann, s.one.ID, 1)
	assertTampered(t, "a rollback", err)
	assertTampered(t, "a delete", s.DeleteSecret(t.Context(), s.ann, s.one.ID))
	s.assertOnlyBroken("mask ONE", "value ONE")
	s.put("name", s.one.ID, "ONE")
	s.assertOnlyBroken()
}

func TestARowThatIsPutBackWholeIsTampering(t *testing.T) {
	s := newScene(t)
	for column, v := range s.old {
		s.put(column, s.one.ID, v)
	}
	s.assertOnlyBroken("mask ONE", "value ONE")
}
