package attack_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
)

// lieNowAndThen is lie, but for an index that can be exchanged with the true one again and again:
// between any two reads of the server. What it returns does that.
func (h *House) lieNowAndThen(table, index, change string) (exchange func()) {
	h.t.Helper()
	h.copyTable(table)
	h.exec(change)
	other := "sqlite_autoindex_liar_1"
	page := func(name string) any { return h.row("sqlite_schema", "name = ?", name)["rootpage"] }
	first, second := page(index), page(other)
	var turn int64
	return func() {
		h.exec("BEGIN IMMEDIATE")
		h.exec("PRAGMA writable_schema = ON")
		h.exec("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", second, index)
		h.exec("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", first, other)
		turn++
		h.exec(fmt.Sprintf("PRAGMA schema_version = %d", 1000+turn))
		h.exec("COMMIT")
		first, second = second, first
	}
}

// A request reads who calls, and then what is the caller's. Between the two the attacker makes the
// users' index lead eve to mia's row, with its true ledger.
func TestAnIndexThatLiesBetweenTwoReadsShowsNobodyAnothersSecrets(t *testing.T) {
	h := newHouse(t)
	exchange := h.lieNowAndThen("users", "sqlite_autoindex_users_1", fmt.Sprintf(
		"UPDATE liar SET id = 'x' WHERE id = '%s'; UPDATE liar SET id = '%s' WHERE id = '%s';"+
			"UPDATE liar SET id = '%s' WHERE id = 'x'", h.mia.id, h.mia.id, h.eve.id, h.eve.id))
	h.flip(exchange, exchange, func() {
		var requests sync.WaitGroup
		for range 4 {
			requests.Go(func() {
				for range 150 {
					list, err := h.as(h.eve).ListSecrets(t.Context())
					if err == nil && (list.Total != 1 || list.Secrets[0].ID != h.eves.ID) {
						t.Error("eve was shown the secrets of another")
						return
					}
				}
			})
		}
		requests.Wait()
	})
}

func TestARotationOfAllOwnerKeysSkipsNobody(t *testing.T) {
	h := newHouse(t)
	leaked := h.ownerKey(h.mia)
	h.change("owner_keys", leaked, leaked.with("created_at", int64(4_000_000_000_000_000)))
	_, err := maintenance.RotateOwnerKeys(t.Context(), h.cfg, nil, "", silent)
	if err != nil {
		h.tampering("the rotation", err)
		return
	}
	if len(h.rows("owner_keys", "id = ?", leaked["id"])) > 0 {
		t.Error("the leaked owner key is still there")
	}
}

func TestARotationOfAllOwnerKeysSkipsNobodyWhoseRowsAreHidden(t *testing.T) {
	h := newHouse(t)
	leaked := h.ownerKey(h.mia)
	h.remove("owner_keys", leaked)
	_, err := maintenance.RotateOwnerKeys(t.Context(), h.cfg, nil, "", silent)
	h.insert("owner_keys", leaked)
	if err != nil {
		return // it says that somebody was left out
	}
	h.restart()
	if _, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, "NEW")); err == nil {
		t.Error("the leaked owner key seals, and the rotation said that it replaced all")
	}
}

func TestATamperedUserKeepsNoOtherFromANewOwnerKey(t *testing.T) {
	h := newHouse(t)
	h.set("secrets", h.one.ID, "name", "PATH")
	leaked := map[string]any{}
	for _, p := range []Person{h.ada, h.eve} {
		leaked[p.name] = h.ownerKey(p)["id"]
	}
	if _, err := maintenance.RotateOwnerKeys(t.Context(), h.cfg, nil, "", silent); err == nil {
		t.Error("the rotation does not say that mia was left out")
	}
	for name, id := range leaked {
		if len(h.rows("owner_keys", "id = ?", id)) > 0 {
			t.Errorf("%s has no new owner key", name)
		}
	}
	h.is(h.eve, h.eves, "first")
}

// The data folder has a file that says when a rotation of all owner keys began that was cut short.
func TestARotationOfAllOwnerKeysBeginsWhenItBegins(t *testing.T) {
	for name, began := range map[string]time.Duration{
		"an hour ago": -time.Hour, "in an hour": time.Hour, "in a year": 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			leaked := h.ownerKey(h.mia)
			at := time.Now().UTC().Add(began).Truncate(time.Microsecond)
			file := filepath.Join(h.cfg.Data, "keysake.rotate.lock")
			apptest.Must(t, os.WriteFile(file, []byte(at.Format(time.RFC3339Nano)), 0o600))
			_, err := maintenance.RotateOwnerKeys(t.Context(), h.cfg, nil, "", silent)
			apptest.Must(t, err)
			if len(h.rows("owner_keys", "id = ?", leaked["id"])) > 0 {
				t.Error("the leaked owner key is still there")
			}
			h.is(h.mia, h.one, "second")
		})
	}
}
