package attack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/wire"
)

// refusedUser demands that nothing of a person's is used, that doctor names it, and that it stops
// nobody else.
func refusedUser(h *House, p Person, others ...Person) {
	h.t.Helper()
	h.both(func() {
		_, err := h.as(p).WhoAmI(h.t.Context())
		h.refused("who am I", err)
		_, err = h.as(p).ListSecrets(h.t.Context())
		h.refused("a list", err)
		_, err = h.as(p).CreateSecret(h.t.Context(),
			wire.CreateSecret{Name: newName(), Value: value(p, "NEW", "first")})
		h.refused("a create", err)
		h.works(others...)
	})
	h.named()
}

func TestTwoUsersWhoseNamesWereSwappedAreNotTakenForEachOther(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.byID("users", h.mia.id), h.byID("users", h.eve.id)
	h.swapRows("users", mias, eves, "username")
	h.both(func() {
		for _, p := range []Person{h.mia, h.eve} {
			_, err := h.as(p).WhoAmI(t.Context())
			h.refused("who am I", err)
		}
		h.broken(h.mia, h.eve)
	})
	h.named()
}

func TestTheOperatorGivesNoAdminKeyToAUserWithASwappedName(t *testing.T) {
	h := newHouse(t)
	adas, eves := h.byID("users", h.ada.id), h.byID("users", h.eve.id)
	h.swapRows("users", adas, eves, "username")
	h.Stop(t)
	_, _, err := instance.NewAdminKey(t.Context(), h.cfg, nil, "ada")
	h.refused("the new key", err)
	for _, r := range h.rows("api_keys", "user_id = ?", h.eve.id) {
		if strings.Contains(r.text("scopes"), "admin") {
			t.Error("eve has a key with the scope admin")
		}
	}
}

// refusedIdentity demands that nobody is told who mia is, and that doctor names why.
func refusedIdentity(h *House) {
	h.t.Helper()
	h.both(func() {
		_, err := h.as(h.mia).WhoAmI(h.t.Context())
		h.tampering("who am I", err)
		h.broken(h.mia)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestAUserWhoseAddressWasChangedIsRefused(t *testing.T) {
	for _, column := range []string{"email_address", "full_name", "username"} {
		t.Run(column, func(t *testing.T) {
			h := newHouse(t)
			h.set("users", h.mia.id, column, "eve-of-elsewhere")
			refusedIdentity(h)
		})
	}
}

func TestTheTimeAtWhichAUserWasMadeCannotBeChanged(t *testing.T) {
	h := newHouse(t)
	h.set("users", h.mia.id, "created_at", int64(1_600_000_000_000_000))
	refusedIdentity(h)
}

func TestAUserWhoWasInsertedIsNone(t *testing.T) {
	h := newHouse(t)
	id := newID()
	h.insert("users", h.byID("users", h.eve.id).with("id", id, "username", "mallory"))
	inserted, token := h.forgeKey(h.eve, "user_id", id)
	h.insert("api_keys", inserted)
	h.both(func() {
		h.refusedKey(token)
		_, err := h.as(h.ada).CreateAPIKeyFor(
			t.Context(), id, wire.CreateAPIKey{AllowedScopes: &everyScope})
		h.refused("a key for the user", err)
		h.works(h.mia, h.eve)
	})
	h.named()
}

func TestADeletedUserDoesNotLiveAgain(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	h.putBackUser(yesterday, h.mia.id)
	h.both(func() {
		h.refusedKey(h.mia.key)
		_, err := h.open(h.mia, h.one.ID)
		h.refused("a value", err)
		_, err = h.as(h.ada).CreateAPIKeyFor(
			t.Context(), h.mia.id, wire.CreateAPIKey{AllowedScopes: &everyScope})
		h.refused("a key for the user", err)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestADeletedUsersAPIKeyDoesNotLiveAgain(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	h.putBackUser(yesterday, h.mia.id, "api_keys")
	h.both(func() { h.refusedKey(h.mia.key) })
	h.named()
}

func TestADeletedUsersValuesDoNotLiveAgainWithAnother(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	for _, table := range []string{"owner_keys", "secrets", "secret_versions"} {
		for _, r := range yesterday[table] {
			if r["user_id"] == h.mia.id {
				h.putBack(table, r.with("user_id", h.eve.id))
			}
		}
	}
	h.both(func() {
		h.refusedSecret(h.eve, h.one.ID)
		h.refusedSecret(h.eve, h.two.ID)
	})
	h.named()
}

func TestAUserDoesNotAnswerForTheIDOfAnother(t *testing.T) {
	h := newHouse(t)
	h.swap("users", h.mia.id, h.eve.id)
	h.both(func() {
		for _, p := range []Person{h.mia, h.eve} {
			_, err := h.as(p).WhoAmI(t.Context())
			h.refused("who am I", err)
		}
	})
	h.named()
}

func TestEverythingOfAUserPutBackIsRefusedByAServerThatSawNewer(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.putBackUser(yesterday, h.mia.id)
	_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
	h.refused("the secret", err)
	h.refused("a rollback", h.rollback(h.mia, h.one.ID, 1))
	h.works(h.ada, h.eve)
}

func TestAnAPIKeyRevokedAtAServerIsRefusedThereWhenEverythingIsPutBack(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	yesterday := h.dump()
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.putBackAll(yesterday)
	h.refusedKey(leaked.key)
}

func TestTheOnlyAdminIsNotWhoTheRowsSay(t *testing.T) {
	h := newHouse(t)
	for _, r := range h.rows("api_keys", "user_id = ?", h.ada.id) {
		h.remove("api_keys", r)
	}
	inserted, _ := h.forgeKey(h.eve, "scopes", "admin secrets:read", "parent_id", "")
	h.insert("api_keys", inserted)
	wantNoAdminKey(h, "")
}

func TestAHouseWhoseAdminsWereRemovedGetsNoNewOneFromInit(t *testing.T) {
	h := newHouse(t)
	for _, r := range h.rows("api_keys", "user_id = ?", h.ada.id) {
		h.remove("api_keys", r)
	}
	h.swapRows("users", h.byID("users", h.ada.id), h.byID("users", h.eve.id), "username")
	wantNoInit(h, "ada")
}

func TestADisabledUserDoesNotWorkAgainWhenEverythingOfTheUserIsPutBack(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DisableUser(t.Context(), h.mia.id))
	h.putBackUser(yesterday, h.mia.id)
	h.both(func() {
		h.refusedKey(h.mia.key)
		_, err := h.open(h.mia, h.one.ID)
		h.refused("a value", err)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestADisabledUserDoesNotWorkAgainWithALedgerOfYesterday(t *testing.T) {
	h := newHouse(t)
	yesterday := h.byID("users", h.mia.id)
	apptest.Must(t, h.as(h.ada).DisableUser(t.Context(), h.mia.id))
	h.putBack("users", yesterday)
	h.both(func() { h.refusedKey(h.mia.key) })
	h.named()
}

// A deletion that waits is what its row and the ledger say: the disk neither hurries it nor calls
// it off.
func TestTheDiskNeitherHurriesADeletionNorCallsItOff(t *testing.T) {
	for name, at := range map[string]any{"hurried": int64(1), "called off": nil} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.cfg.DeleteDelay = time.Hour
			h.restart()
			apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
			h.refusedKey(h.mia.key)
			h.set("users", h.mia.id, "delete_at", at)
			h.restart() // a server looks at once who is due
			h.refused("to enable her", h.as(h.ada).EnableUser(t.Context(), h.mia.id))
			h.refusedKey(h.mia.key)
			h.broken(h.mia)
			if len(h.rows("secrets", "user_id = ?", h.mia.id)) == 0 {
				t.Error("she was deleted")
			}
			h.works(h.ada, h.eve)
			h.named()
		})
	}
}

func TestADeletionThatWasCalledOffDoesNotComeBack(t *testing.T) {
	h := newHouse(t)
	h.Stop(t)
	h.cfg.DeleteDelay = time.Millisecond
	apptest.Must(t, maintenance.DeleteUser(t.Context(), h.cfg, nil, "mia", false))
	yesterday := h.dump() // when she was to be deleted, and that is due
	apptest.Must(t, maintenance.KeepUser(t.Context(), h.cfg, nil, "mia"))
	apptest.Must(t, maintenance.EnableUser(t.Context(), h.cfg, nil, "mia"))
	h.putBackUser(yesterday, h.mia.id)
	h.Server = apptest.StartWith(t, h.cfg)
	h.works(h.ada, h.eve)
	if len(h.rows("secrets", "user_id = ?", h.mia.id)) == 0 {
		t.Error("she was deleted")
	}
	h.named()
}
