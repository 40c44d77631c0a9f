package attack_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/wire"
)

// flip lets the attacker exchange two states as fast as the disk allows, while use runs.
func (h *House) flip(there, back func(), use func()) {
	h.t.Helper()
	var stop atomic.Bool
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for !stop.Load() {
			there()
			back()
		}
	})
	defer attacker.Wait()
	defer stop.Store(true)
	use()
}

func TestARowThatIsExchangedWhileItIsRolledBackIsTheTrueOneOrNone(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	first, second := h.version(h.one.ID, 1), h.version(h.one.ID, 2)
	swapped := func() {
		h.putBack("secret_versions", first.with("sealed_value", second["sealed_value"],
			"sealed_mask", second["sealed_mask"]))
	}
	h.flip(swapped, func() { h.putBack("secret_versions", first) }, func() {
		for range 50 {
			if h.rollback(h.mia, h.one.ID, 1) == nil {
				h.isNot(h.mia, h.one, "second")
				break
			}
		}
	})
}

func TestALedgerThatIsExchangedWhileAChangeRunsMakesNoMixture(t *testing.T) {
	h := newHouse(t)
	old := h.byID("users", h.mia.id)
	h.update(h.mia, h.two.ID, "TWO", "second")
	var made []wire.Secret
	var now row
	there := func() {
		now = h.byID("users", h.mia.id)
		h.putBack("users", old)
	}
	for n := range 20 {
		there()
		_, err := h.as(h.mia).UpdateSecret(t.Context(), h.one.ID, updateTo(h.mia, "ONE", n))
		h.tampering("an update on a ledger of yesterday", err)
		h.putBack("users", now)
		s, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, newName()))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, s)
	}
	list, err := h.as(h.mia).ListSecrets(t.Context())
	if err != nil || list.Total != len(made)+2 {
		t.Errorf("%d secrets: %v", list.Total, err)
	}
	if found := failed(h.doctor("")); len(found) > 0 {
		t.Errorf("doctor: %q", found)
	}
}
