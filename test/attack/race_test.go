package attack_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keysake/keysake/client"
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

func TestARowThatIsExchangedWhileItIsReadIsTheTrueOneOrNone(t *testing.T) {
	h := newHouse(t)
	old := h.byID("secrets", h.two.ID)
	second := h.update(h.mia, h.two.ID, "TWO", "second")
	now := h.byID("secrets", h.two.ID)
	h.flip(func() { h.putBack("secrets", old) }, func() { h.putBack("secrets", now) }, func() {
		for range 150 {
			got, err := h.as(h.mia).GetSecret(t.Context(), h.two.ID)
			if err == nil && got != second {
				t.Error("the secret of yesterday was shown")
				break
			}
			h.isNot(h.mia, h.two, "first")
		}
	})
	h.is(h.mia, h.two, "second")
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

func TestAnAPIKeyThatIsExchangedWhileItIsUsedIsItsUsersOrNone(t *testing.T) {
	h := newHouse(t)
	eves := h.byID("api_keys", h.eve.keyID)
	moved := eves.with("user_id", h.mia.id, "scopes", "admin secrets:read secrets:write")
	h.flip(func() { h.putBack("api_keys", moved) }, func() { h.putBack("api_keys", eves) }, func() {
		for range 150 {
			if me, err := h.as(h.eve).WhoAmI(t.Context()); err == nil && me.Username != "eve" {
				t.Error("eve is taken for another")
				break
			}
			if _, err := h.as(h.eve).ListUsers(t.Context()); err == nil {
				t.Error("eve is an admin")
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

func TestARevocationThatIsUndoneWhileItRunsIsNotAnsweredAsDone(t *testing.T) {
	h := newHouse(t)
	for n := range 10 {
		p := h.newPerson(fmt.Sprint("person-", n))
		leaked := h.newKey(p, "leaked", "secrets:read")
		was := h.byID("api_keys", leaked.keyID)
		var err error
		h.flip(func() { h.putBack("api_keys", was) }, func() {}, func() {
			err = h.as(p).RevokeAPIKey(t.Context(), leaked.keyID)
		})
		answer, isAnswer := errors.AsType[*client.Error](err)
		switch {
		case err == nil:
			h.refusedKey(leaked.key)
		case isAnswer && answer.Status == 503: // the attacker holds the lock: not answered as done
		default:
			h.refused("the revocation", err)
		}
	}
}
