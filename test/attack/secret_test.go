package attack_test

import (
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// refusedOne demands that mia's secret ONE is tampering, wherever it is used, that doctor names it,
// and that it stops nobody else.
func refusedOne(h *House) {
	h.t.Helper()
	before := h.dump()
	h.both(func() {
		h.refusedSecret(h.mia, h.one.ID)
		h.tamperedList(h.mia)
		h.works(h.ada, h.eve)
	})
	h.unchanged(before, "secrets", "secret_versions", "owner_keys", "users")
	h.named()
}

func TestASecretThatWasRenamedIsNotDelivered(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "name", "PATH")
	refusedOne(h)
}

func TestTwoSecretsWhoseNamesWereSwappedAreNotDelivered(t *testing.T) {
	h := newHouse(t)
	h.swap("secrets", h.one.ID, h.two.ID, "name")
	refusedOne(h)
}

func TestASecretOfAnotherProviderIsNotDelivered(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "provider", "github")
	refusedOne(h)
}

func TestASecretThatWasDatedAnewIsNotDelivered(t *testing.T) {
	for _, column := range []string{"created_at", "updated_at"} {
		t.Run(column, func(t *testing.T) {
			h := newHouse(t)
			h.set("secrets", h.one.ID, column, int64(1_700_000_000_000_000))
			refusedOne(h)
		})
	}
}

func TestASecretThatWasCopiedIsNone(t *testing.T) {
	h := newHouse(t)
	id := newID()
	h.insert("secrets", h.byID("secrets", h.one.ID).with("id", id, "name", "COPY"))
	h.both(func() {
		h.refusedSecret(h.mia, id)
		h.tamperedList(h.mia)
	})
	h.named()
}

func TestASecretThatWasCopiedToAnotherUserIsNone(t *testing.T) {
	h := newHouse(t)
	id := newID()
	h.insert("secrets", h.byID("secrets", h.one.ID).with("id", id, "user_id", h.eve.id))
	h.both(func() {
		h.refusedSecret(h.eve, id)
		h.tamperedList(h.eve)
		h.works(h.mia)
	})
	h.named()
}

func TestASecretThatWasMovedToAnotherUserIsNobodys(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "user_id", h.eve.id)
	h.both(func() {
		for _, p := range []Person{h.mia, h.eve} {
			h.refusedSecret(p, h.one.ID)
			h.tamperedList(p)
		}
	})
	h.named()
}

func TestTwoSecretsOfTwoUsersCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	h.swap("secrets", h.one.ID, h.eves.ID, "user_id", "name")
	h.both(func() {
		h.refusedSecret(h.mia, h.eves.ID)
		h.refusedSecret(h.eve, h.one.ID)
	})
	h.named()
}

func TestTwoSecretsCannotStandInEachOthersPlace(t *testing.T) {
	h := newHouse(t)
	h.swap("secrets", h.one.ID, h.two.ID)
	refusedOne(h)
}

func TestSealedColumnsOfTwoSecretsCannotBeSwapped(t *testing.T) {
	for name, columns := range map[string][]string{
		"values": {"sealed_value"}, "masks": {"sealed_mask"}, "versions": {"version"},
		"all of them": {"sealed_value", "sealed_mask", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.swap("secrets", h.one.ID, h.two.ID, columns...)
			before := h.dump()
			h.both(func() {
				_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
				_, openErr := h.open(h.mia, h.one.ID)
				if err == nil {
					err = openErr
				}
				h.refused("the secret or its value", err)
				h.isNot(h.mia, h.one, "first")
			})
			h.unchanged(before, "secrets", "secret_versions")
			h.named()
		})
	}
}

func TestASecretOfYesterdayIsNotDelivered(t *testing.T) {
	h := newHouse(t)
	yesterday := h.byID("secrets", h.two.ID)
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBack("secrets", yesterday)
	h.both(func() {
		h.refusedSecret(h.mia, h.two.ID)
		h.tamperedList(h.mia)
	})
	h.named()
}

func TestASecretOfYesterdayWithItsVersionsIsNotDelivered(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.putBackUser(yesterday, h.mia.id, "secrets", "secret_versions")
	refusedOne(h)
}

func TestASecretThatWasRemovedIsMissed(t *testing.T) {
	h := newHouse(t)
	h.drop("secrets", "id = ?", h.one.ID)
	h.both(func() {
		h.tamperedList(h.mia)
		_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
		h.tampering("the secret that is hidden", err)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestASecretThatWasHiddenCannotBeCreatedASecondTime(t *testing.T) {
	h := newHouse(t)
	was := h.byID("secrets", h.two.ID)
	h.remove("secrets", was)
	in := wire.CreateSecret{Name: "TWO", Value: value(h.mia, "TWO", "other")}
	if made, err := h.as(h.mia).CreateSecret(t.Context(), in); err == nil {
		h.drop("secrets", "id = ?", made.ID)
	} else {
		h.tampering("the second", err)
	}
	h.putBack("secrets", was)
	if _, err := h.as(h.mia).ListSecrets(t.Context()); err != nil {
		h.tampering("the list", err)
		return
	}
	h.is(h.mia, h.two, "first")
}

func TestADeletedSecretDoesNotLiveAgain(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.mia).DeleteSecret(t.Context(), h.one.ID))
	h.putBackUser(yesterday, h.mia.id, "secrets", "secret_versions")
	refusedOne(h)
}

func TestADeleteOfASecretWhoseIDWasSwappedDeletesNoOther(t *testing.T) {
	h := newHouse(t)
	h.swap("secrets", h.one.ID, h.two.ID)
	before := h.dump()
	h.both(func() {
		h.tampering("the delete", h.as(h.mia).DeleteSecret(t.Context(), h.one.ID))
	})
	h.unchanged(before, "secrets", "secret_versions")
}

func TestAnUpdateDoesNotMakeATamperedRowTrue(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "name", "PATH")
	h.both(func() {
		_, err := h.as(h.mia).UpdateSecret(t.Context(), h.one.ID,
			wire.UpdateSecret{Value: value(h.mia, "ONE", "third")})
		h.tampering("an update", err)
	})
	refusedOne(h)
}

func TestAValueOfAnotherBranchOfHistoryIsNotDelivered(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.two.ID, "TWO", "abandoned")
	abandoned := h.byID("secrets", h.two.ID)
	h.Stop(t)
	h.putBackAll(yesterday)
	if err := h.start(); err != nil {
		return // refused as a whole: it was seen newer
	}
	_, err := h.as(h.mia).UpdateSecret(
		t.Context(), h.two.ID, wire.UpdateSecret{Value: value(h.mia, "TWO", "kept")})
	if err != nil {
		h.tampering("an update of what was seen newer", err)
	}
	h.putBack("secrets", abandoned)
	h.both(func() {
		h.refusedSecret(h.mia, h.two.ID)
		h.isNot(h.mia, h.two, "abandoned")
	})
}

func TestNoChangedByteOfASealedColumnIsOverlooked(t *testing.T) {
	h := newHouse(t)
	was := h.byID("secrets", h.two.ID)
	for column, v := range was {
		blob, ok := v.([]byte)
		if !ok {
			continue
		}
		for _, at := range []int{0, 1, len(blob) / 2, len(blob) - 1} {
			changed := append([]byte(nil), blob...)
			changed[at] ^= 0x40
			h.putBack("secrets", was.with(column, changed))
			_, err := h.as(h.mia).GetSecret(t.Context(), h.two.ID)
			if _, openErr := h.open(h.mia, h.two.ID); err == nil {
				err = openErr
			}
			h.refused(column, err)
		}
	}
	h.putBack("secrets", was)
	h.is(h.mia, h.two, "first")
}

func TestAnUpdateArchivesNoTamperedValue(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.swap("secrets", h.one.ID, h.two.ID, "sealed_value")
	_, err := h.as(h.mia).UpdateSecret(t.Context(), h.one.ID, updateTo(h.mia, "ONE", 1))
	if err == nil {
		h.refused("a rollback to it", h.rollback(h.mia, h.one.ID, 2))
	} else {
		h.tampering("an update", err)
	}
	h.named()
}

func TestARenameCannotBeTakenBack(t *testing.T) {
	h := newHouse(t)
	before := h.byID("secrets", h.one.ID)
	in := wire.RenameSecret{Name: "RENAMED"}
	if _, err := h.as(h.mia).RenameSecret(t.Context(), h.one.ID, in); err != nil {
		t.Fatal(err)
	}
	h.change("secrets", h.byID("secrets", h.one.ID), before)
	refusedOne(h)
}
