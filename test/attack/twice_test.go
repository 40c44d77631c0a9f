package attack_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// uniqueness is what SQLite keeps an index for.
var uniqueness = regexp.MustCompile(`,[^\n,]*\n\tPRIMARY KEY \([^)]*\)| PRIMARY KEY| UNIQUE`)

// loosely lets the attacker write rows that the indexes of a table would refuse: they are not
// there for a moment, and then have what the table has.
func (h *House) loosely(table string, change func()) {
	h.t.Helper()
	indexes := h.rows("sqlite_schema", "tbl_name = ? AND type = 'index'", table)
	own := h.row("sqlite_schema", "name = ?", table).text("sql")
	loose := uniqueness.ReplaceAllString(own, "")
	h.exec("PRAGMA writable_schema = ON")
	h.exec("DELETE FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'", table)
	h.exec("UPDATE sqlite_schema SET sql = ? WHERE name = ?", loose, table)
	h.exec("PRAGMA writable_schema = RESET")
	change()
	for i, r := range indexes {
		h.exec(fmt.Sprintf("CREATE INDEX liar%d ON %s %s", i, table, indexed(r, own)))
		r["rootpage"] = h.row("sqlite_schema", "name = ?", fmt.Sprint("liar", i))["rootpage"]
	}
	h.exec("PRAGMA writable_schema = ON")
	h.exec("UPDATE sqlite_schema SET sql = ? WHERE name = ?", own, table)
	h.exec("DELETE FROM sqlite_schema WHERE name LIKE 'liar%'")
	for _, r := range indexes {
		h.insert("sqlite_schema", r)
	}
	h.exec("PRAGMA writable_schema = RESET")
}

// indexed returns the columns of an index, and its condition.
func indexed(index row, table string) string {
	if sql, ok := index["sql"].(string); ok {
		return sql[strings.Index(sql, "("):] // also those of ((1))
	}
	switch {
	case strings.Contains(table, "PRIMARY KEY (secret_id, version)"):
		return "(secret_id, version)"
	case strings.HasSuffix(index.text("name"), "_2"):
		return "(token_hash)"
	}
	return "(id)"
}

// become makes a row say all that another one says, its id too: that one is there twice.
func (h *House) become(table string, other row, where string, args ...any) {
	h.t.Helper()
	h.loosely(table, func() {
		var set []string
		var values []any
		for column, v := range other {
			set, values = append(set, column+" = ?"), append(values, v)
		}
		n := h.exec("UPDATE "+table+" SET "+strings.Join(set, ", ")+" WHERE "+where,
			append(values, args...)...)
		if n != 1 {
			h.t.Fatalf("%d rows were changed", n)
		}
	})
}

func TestASecretThatIsThereTwiceHidesNoOther(t *testing.T) {
	h := newHouse(t)
	h.become("secrets", h.byID("secrets", h.one.ID), "id = ?", h.two.ID)
	h.tamperedList(h.mia)
	_, err := h.as(h.mia).GetSecret(t.Context(), h.two.ID)
	h.refused("the secret that is hidden", err)
	if h.start() == nil {
		h.tamperedList(h.mia)
	}
	h.named()
}

func TestAnAPIKeyThatIsThereTwiceHidesNoOther(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	h.become("api_keys", h.byID("api_keys", h.mia.keyID), "id = ?", leaked.keyID)
	_, err := h.as(h.mia).ListAPIKeys(t.Context())
	h.tampering("the list of API keys", err)
	if h.start() == nil {
		_, err := h.as(h.mia).ListAPIKeys(t.Context())
		h.tampering("the list of API keys", err)
	}
	h.named()
}

func TestAnOldVersionThatIsThereTwiceHidesNoOther(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.become("secret_versions", h.version(h.one.ID, 1),
		"secret_id = ? AND version = 2", h.one.ID)
	_, err := h.as(h.mia).ListVersions(t.Context(), h.one.ID)
	h.tampering("the list of versions", err)
	h.refused("a rollback", h.rollback(h.mia, h.one.ID, 2))
	h.isNot(h.mia, h.one, "first")
	h.named()
}

func TestAUserWhoIsThereTwiceIsNamed(t *testing.T) {
	h := newHouse(t)
	h.become("users", h.byID("users", h.mia.id), "id = ?", h.eve.id)
	list, err := h.as(h.ada).ListUsers(t.Context())
	if err != nil || !slices.Equal(list.Broken, []string{h.mia.id}) || len(list.Users) != 2 {
		t.Errorf("the list of users: %+v, %v", list, err)
	}
	_, err = h.as(h.eve).WhoAmI(t.Context())
	h.refused("who am I", err)
	h.named()
}

func TestARevokedAPIKeyThatNeverWasIsInNoList(t *testing.T) {
	h := newHouse(t)
	inserted, token := h.forgeKey(h.mia,
		"name", "break-in", "revoked_at", int64(1_750_000_000_000_000))
	h.insert("api_keys", inserted)
	h.both(func() {
		h.refusedKey(token)
		list, err := h.as(h.mia).ListAPIKeys(t.Context())
		for _, k := range list.APIKeys {
			if k.Name == "break-in" && err == nil {
				t.Error("the list has a key that never was")
			}
		}
	})
}

func TestTheIDOfTheInstanceCannotBeChanged(t *testing.T) {
	for name, id := range map[string]func(h *House) string{
		"another":      func(*House) string { return newID() },
		"that of mia":  func(h *House) string { return h.mia.id },
		"that of none": func(*House) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.eve.id))
			h.backup()
			h.exec("UPDATE instance SET id = ?", id(h))
			h.named()
			if h.start() == nil {
				h.works(h.ada)
			}
			h.named()
		})
	}
}

func TestAUserWhoseRowSaysThatItWasDeletedIsMissed(t *testing.T) {
	h := newHouse(t)
	h.set("users", h.mia.id, "deleted_at", int64(1_750_000_000_000_000))
	h.both(func() {
		h.broken(h.mia)
		h.works(h.ada, h.eve)
	})
	h.named()
}

func TestEverythingOfAUserPutBackIsRefusedByAServerThatOnlyReadNewer(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.restart()
	h.works(h.mia)
	h.putBackUser(yesterday, h.mia.id)
	_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
	h.tampering("the secret", err)
}

func TestNoNameOfASecretIsThereTwice(t *testing.T) {
	h := newHouse(t)
	was := h.byID("secrets", h.two.ID)
	h.remove("secrets", was)
	in := wire.CreateSecret{Name: "TWO", Value: value(h.mia, "TWO", "other")}
	if _, err := h.as(h.mia).CreateSecret(t.Context(), in); err != nil {
		h.tampering("the second", err)
		return
	}
	h.loosely("secrets", func() { h.insert("secrets", was) })
	h.tamperedList(h.mia)
	h.named()
}

func TestAnOldVersionThatWasHiddenWhileItWasPrunedDoesNotComeBack(t *testing.T) {
	h := newHouse(t)
	old := h.version(h.one.ID, 1)
	h.remove("secret_versions", old)
	for n := range h.cfg.KeepVersions + 1 {
		_, err := h.as(h.mia).UpdateSecret(t.Context(), h.one.ID, updateTo(h.mia, "ONE", n))
		if err != nil {
			h.tampering("an update", err)
		}
	}
	h.insert("secret_versions", old)
	refused := func() {
		if len(h.rows("secret_versions", "secret_id = ?", h.one.ID)) < h.cfg.KeepVersions {
			return // the updates were refused: the version is still a true one
		}
		h.tampering("the rollback", h.rollback(h.mia, h.one.ID, 1))
		h.isNot(h.mia, h.one, "first")
	}
	h.both(refused)
}

func TestADeleteOfASecretWithAHiddenVersionBreaksNoOther(t *testing.T) {
	h := newHouse(t)
	h.remove("secret_versions", h.version(h.one.ID, 1))
	if err := h.as(h.mia).DeleteSecret(t.Context(), h.one.ID); err != nil {
		h.tampering("the delete", err)
		return
	}
	_, err := h.as(h.mia).ListVersions(t.Context(), h.two.ID)
	apptest.Must(t, err)
}

func TestASecondRowOfTheInstanceIsNamed(t *testing.T) {
	h := newHouse(t)
	yesterday := h.row("instance", "1")
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.eve.id))
	h.backup()
	now := h.row("instance", "1")
	h.loosely("instance", func() { h.insert("instance", yesterday.with("id", newID())) })
	h.named()
	h.loosely("instance", func() {
		h.exec("DELETE FROM instance")
		h.insert("instance", yesterday)
		h.insert("instance", now)
	})
	h.named()
}

func TestRowsOfNobodyAreNamed(t *testing.T) {
	for _, table := range []string{
		"secrets", "secret_versions", "owner_keys", "api_keys", "audit_entries",
	} {
		t.Run(table, func(t *testing.T) {
			h := newHouse(t)
			column := h.ofUser(table)
			r := h.rows(table, column+" = ?", h.mia.id)[0].with(column, newID())
			if table != "secret_versions" && table != "audit_entries" {
				r = r.with("id", newID())
			}
			if table == "secret_versions" {
				r = r.with("secret_id", newID())
			}
			if r.has("token_hash") {
				_, r["token_hash"] = forgeToken("ksk_")
			}
			h.insert(table, r)
			h.named()
			h.both(func() { h.works(h.ada, h.mia, h.eve) })
		})
	}
}
