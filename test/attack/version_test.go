package attack_test

import (
	"fmt"
	"testing"

	"github.com/keysake/keysake/wire"
)

func (h *House) rollback(p Person, id string, to int64) error {
	h.t.Helper()
	_, err := h.as(p).RollbackSecret(h.t.Context(), id, wire.RollbackSecret{Version: to})
	return err
}

func (h *House) version(id string, number int) row {
	h.t.Helper()
	return h.row("secret_versions", "secret_id = ? AND version = ?", id, number)
}

// refusedVersion demands that version 1 of ONE is neither listed nor made current.
func refusedVersion(h *House) {
	h.t.Helper()
	before := h.dump()
	h.both(func() {
		h.tampering("the rollback", h.rollback(h.mia, h.one.ID, 1))
		_, err := h.as(h.mia).ListVersions(h.t.Context(), h.one.ID)
		h.tampering("the list of versions", err)
	})
	h.unchanged(before, "secrets", "secret_versions")
	h.named()
}

func TestAnOldVersionCannotBeSwappedWithTheCurrentOne(t *testing.T) {
	h := newHouse(t)
	current, old := h.byID("secrets", h.one.ID), h.version(h.one.ID, 1)
	now, then := current.with(), old.with()
	for column := range old {
		if current.has(column) && column != "user_id" && column != "created_at" {
			now[column], then[column] = old[column], current[column]
		}
	}
	h.change("secrets", current, now)
	h.change("secret_versions", old, then)
	before := h.dump()
	h.both(func() {
		_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
		h.refused("the secret", err)
		h.isNot(h.mia, h.one, "first")
		h.tamperedList(h.mia)
	})
	h.unchanged(before, "secrets", "secret_versions")
	h.named()
}

func TestAnOldVersionThatWasPrunedDoesNotComeBack(t *testing.T) {
	h := newHouse(t)
	pruned := h.version(h.one.ID, 1)
	for n := range h.cfg.KeepVersions + 1 {
		h.update(h.mia, h.one.ID, "ONE", fmt.Sprint("later-", n))
	}
	if len(h.rows("secret_versions", "secret_id = ? AND version = 1", h.one.ID)) != 0 {
		t.Fatal("the version was not pruned")
	}
	h.putBack("secret_versions", pruned)
	refusedVersion(h)
}

func TestAnOldVersionThatWasRemovedIsMissed(t *testing.T) {
	h := newHouse(t)
	h.remove("secret_versions", h.version(h.one.ID, 1))
	refusedVersion(h)
}

func TestAnOldVersionThatWasInsertedIsNone(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	old := h.version(h.one.ID, 2)
	h.remove("secret_versions", h.version(h.one.ID, 1))
	h.insert("secret_versions", old.with("version", int64(1)))
	refusedVersion(h)
}

func TestTheCurrentVersionCopiedAsAnOldOneIsNone(t *testing.T) {
	h := newHouse(t)
	current := h.byID("secrets", h.two.ID)
	old := h.version(h.one.ID, 1).with("secret_id", h.two.ID)
	for column := range old {
		if current.has(column) {
			old[column] = current[column]
		}
	}
	h.insert("secret_versions", old)
	h.change("secrets", current, current.with("version", int64(2)))
	before := h.dump()
	h.both(func() {
		h.refused("the rollback", h.rollback(h.mia, h.two.ID, 1))
	})
	h.unchanged(before, "secrets", "secret_versions")
	h.named()
}

func TestAnOldVersionOfAnotherSecretIsNone(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.two.ID, "TWO", "second")
	ones, twos := h.version(h.one.ID, 1), h.version(h.two.ID, 1)
	h.remove("secret_versions", twos)
	h.change("secret_versions", ones, twos.with("secret_id", h.one.ID))
	refusedVersion(h)
}

func TestAnOldVersionOfAnotherUserIsNone(t *testing.T) {
	h := newHouse(t)
	h.update(h.eve, h.eves.ID, "EVES", "second")
	ones, eves := h.version(h.one.ID, 1), h.version(h.eves.ID, 1)
	h.swapRows("secret_versions", ones, eves, "sealed_value", "sealed_mask")
	refusedVersion(h)
}

func TestAnOldVersionThatWasMovedToAnotherUserIsNone(t *testing.T) {
	h := newHouse(t)
	old := h.version(h.one.ID, 1)
	h.change("secret_versions", old, old.with("user_id", h.eve.id))
	refusedVersion(h)
}

func TestAnOldVersionThatWasDatedAnewIsNone(t *testing.T) {
	h := newHouse(t)
	old := h.version(h.one.ID, 1)
	h.change("secret_versions", old, old.with("created_at", int64(1_700_000_000_000_000)))
	refusedVersion(h)
}

func TestTheValuesOfTwoVersionsOfASecretCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.swapRows("secret_versions", h.version(h.one.ID, 1), h.version(h.one.ID, 2),
		"sealed_value", "sealed_mask", "created_at")
	refusedVersion(h)
}

func TestAVersionNumberIsNotUsedTwiceAfterTheCountWentBack(t *testing.T) {
	h := newHouse(t)
	was := h.byID("secrets", h.two.ID)
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBack("secrets", was)
	_, err := h.as(h.mia).UpdateSecret(t.Context(), h.two.ID,
		wire.UpdateSecret{Value: value(h.mia, "TWO", "other")})
	h.tampering("an update of what was put back", err)
}

func TestAnOldVersionOfAnotherNameIsNone(t *testing.T) {
	h := newHouse(t)
	old := h.version(h.one.ID, 1)
	h.change("secret_versions", old, old.with("name", "TWO"))
	refusedVersion(h)
}
