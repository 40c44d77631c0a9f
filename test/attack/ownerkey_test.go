package attack_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
)

func (h *House) ownerKey(p Person) row {
	h.t.Helper()
	return h.row("owner_keys", "user_id = ?", p.id)
}

func silent(int, int) {}

// rotateOwnerKey gives a person a new owner key, as the operator does after a leak.
func (h *House) rotateOwnerKey(p Person) error {
	h.t.Helper()
	_, err := maintenance.RotateOwnerKeys(h.t.Context(), h.cfg, nil, p.name, silent)
	return err
}

func TestTheOwnerKeyOfAnotherUserSealsNothing(t *testing.T) {
	h := newHouse(t)
	eves := uuid.MustParse(h.ownerKey(h.eve).text("id"))
	before := len(h.rows("secrets", "user_id = ?", h.mia.id))
	mias := h.ownerKey(h.mia)
	h.pointTo(h.mia, eves)
	h.remove("owner_keys", mias)
	h.restart()
	_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW"))
	h.refused("a create", err)
	if after := len(h.rows("secrets", "user_id = ?", h.mia.id)); after != before {
		t.Error("a secret was created")
	}
	h.named()
}

func TestTheOwnerKeysOfTwoUsersCannotBeSwapped(t *testing.T) {
	for name, columns := range map[string][]string{
		"wrapped": {"wrapped"}, "users": {"user_id"}, "both": {"wrapped", "user_id"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.swapRows("owner_keys", h.ownerKey(h.mia), h.ownerKey(h.eve), columns...)
			h.restart()
			for _, p := range []Person{h.mia, h.eve} {
				_, err := h.as(p).CreateSecret(t.Context(), secretOf(p, "NEW"))
				h.tampering("a create", err)
				_, err = h.as(p).ListSecrets(t.Context())
				h.tampering("a list", err)
			}
			h.works(h.ada)
			h.named()
		})
	}
}

func TestAnOwnerKeyOfBeforeItsRotationOpensAndSealsNothing(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.rotateOwnerKey(h.mia))
	h.is(h.mia, h.one, "second")
	old := yesterday.row("owner_keys", "user_id", h.mia.id)
	h.putBackUser(yesterday, h.mia.id, "owner_keys", "secrets", "secret_versions")
	h.pointTo(h.mia, uuid.MustParse(old.text("id")))
	h.both(func() {
		h.refusedSecret(h.mia, h.one.ID)
		h.tamperedList(h.mia)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestAnOwnerKeyOfBeforeItsRotationBesideTheNewOneSealsNothing(t *testing.T) {
	h := newHouse(t)
	old := h.ownerKey(h.mia)
	apptest.Must(t, h.rotateOwnerKey(h.mia))
	h.insert("owner_keys", old)
	id := uuid.MustParse(old.text("id"))
	h.pointTo(h.mia, id)
	h.restart()
	_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW"))
	if err != nil {
		h.tampering("a create", err)
	}
	h.notSealedBy(id)
	h.named()
}

func TestAnOwnerKeyThatIsValidlyWrappedUnderAnIDOfItsOwnSealsNothing(t *testing.T) {
	h := newHouse(t)
	forged := h.newOwnerKey()
	h.insert("owner_keys", h.ownerKeyRow(h.mia, h.trueRootKey(), forged))
	h.pointTo(h.mia, forged.ID())
	h.restart()
	_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW"))
	if err != nil {
		h.tampering("a create", err)
	}
	h.notSealedBy(forged.ID())
	h.named()
}

func TestARotationOfAnOwnerKeyMakesNoSecretOfYesterdayTrue(t *testing.T) {
	h := newHouse(t)
	yesterday := h.byID("secrets", h.two.ID)
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBack("secrets", yesterday)
	if err := h.rotateOwnerKey(h.mia); err != nil {
		h.tampering("the rotation", err)
	}
	h.both(func() { h.refusedSecret(h.mia, h.two.ID) })
	h.named()
}

func TestARotationOfAnOwnerKeyMakesNoCopiedSecretTrue(t *testing.T) {
	h := newHouse(t)
	id := newID()
	h.insert("secrets", h.byID("secrets", h.one.ID).with("id", id, "name", "COPY"))
	if err := h.rotateOwnerKey(h.mia); err != nil {
		h.tampering("the rotation", err)
	}
	h.both(func() { h.refusedSecret(h.mia, id) })
	h.named()
}

func TestARotationOfTheRootKeyWrapsNoForeignOwnerKey(t *testing.T) {
	h := newHouse(t)
	forged := h.newOwnerKey()
	h.insert("owner_keys", h.ownerKeyRow(h.mia, h.trueRootKey(), forged))
	h.pointTo(h.mia, forged.ID())
	if _, err := h.rotateRootKey(); err != nil {
		h.tampering("the rotation", err)
	}
	h.restart()
	_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW"))
	if err != nil {
		h.tampering("a create", err)
	}
	h.notSealedBy(forged.ID())
	h.named()
}

func TestAnOwnerKeyThatWasRemovedStopsItsUserOnly(t *testing.T) {
	h := newHouse(t)
	h.drop("owner_keys", "user_id = ?", h.mia.id)
	h.restart()
	_, err := h.as(h.mia).ListSecrets(t.Context())
	h.tampering("the list", err)
	h.works(h.ada, h.eve)
	h.named()
}
