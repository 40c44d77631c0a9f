package attack_test

import (
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

func TestTheValuesOfTwoVersionsOfASecretCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.swapRows("secret_versions", h.version(h.one.ID, 1), h.version(h.one.ID, 2),
		"sealed_value", "sealed_mask", "created_at")
	refusedVersion(h)
}
