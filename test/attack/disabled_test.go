package attack_test

import (
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
)

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
