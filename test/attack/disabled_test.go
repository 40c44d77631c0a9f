package attack_test

import (
	"testing"

	"github.com/keysake/keysake/internal/apptest"
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
