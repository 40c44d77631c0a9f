package attack_test

import (
	"fmt"
	"sync"
	"testing"
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
