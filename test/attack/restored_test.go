package attack_test

import (
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/wire"
)

func TestAForeignRootKeyOfABackupWrapsNothing(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	path, root := h.rootKeyFile()
	h.changeBackup(file, func(b *changedBackup) {
		b.add("root_keys", h.rootKeyRow(root, fileURL(path), "replaced"))
	})
	other := h.restoredHouse(file)
	_, err := other.as(other.ada).CreateUser(t.Context(), wire.CreateUser{Username: "new"})
	apptest.Must(t, err)
	if len(other.rows("owner_keys", "root_key_id = ?", root.ID().String())) > 0 {
		t.Error("the attacker's root key wraps an owner key")
	}
}

func TestAChangedBackupIsNotRestored(t *testing.T) {
	for name, change := range map[string]func(h *House, yesterday dump, b *changedBackup){
		"an inserted API key": func(h *House, _ dump, b *changedBackup) {
			inserted, _ := h.forgeKey(h.ada, "parent_id", "")
			b.add("api_keys", inserted)
		},
		"added scopes": func(h *House, _ dump, b *changedBackup) {
			b.set("api_keys", "id", h.eve.keyID, "scopes", "admin secrets:read secrets:write")
		},
		"a renamed secret": func(h *House, _ dump, b *changedBackup) {
			b.set("secrets", "id", h.one.ID, "name", "PATH")
		},
		"a row of yesterday": func(h *House, yesterday dump, b *changedBackup) {
			b.drop("secrets", "id", h.two.ID)
			b.add("secrets", yesterday.row("secrets", "id", h.two.ID))
		},
		"a missing secret": func(h *House, _ dump, b *changedBackup) {
			b.drop("secrets", "id", h.two.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			yesterday := h.dump()
			h.update(h.mia, h.two.ID, "TWO", "second")
			file := h.backup()
			h.changeBackup(file, func(b *changedBackup) { change(h, yesterday, b) })
			h.notRestored(file)
		})
	}
}

func TestABackupWithARecomputedAuditChainIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	c := h.chain(h.mia.id)
	c[1] = c[1].with("action", "secret.delete")
	h.rewrite("users", h.mia.id, c)
	h.changeBackup(file, func(b *changedBackup) {
		b.rows["audit_entries"] = h.rows("audit_entries", "1")
		b.rows["users"] = h.rows("users", "1")
	})
	h.namedBy(h.doctor(file))
	_, err := h.restore(file)
	if err == nil {
		t.Error("the backup was restored")
	}
}

// A backup of fewer users, or with the whole of one from yesterday, is a state that was signed,
// user by user. Who keeps a checkpoint elsewhere finds it.
func TestABackupWithoutAUserDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	k, file := h.keep(), h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		for _, table := range h.tables() {
			if column := h.ofUser(table); column != "" {
				b.drop(table, column, h.eve.id)
			}
		}
	})
	k.findsRestored(file)
}

func TestABackupWithAUserOfYesterdayDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.two.ID, "TWO", "second")
	k, file := h.keep(), h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		for _, table := range h.tables() {
			column := h.ofUser(table)
			if column == "" {
				continue
			}
			b.drop(table, column, h.mia.id)
			for _, r := range yesterday[table] {
				if r[column] == h.mia.id {
					b.add(table, r)
				}
			}
		}
	})
	k.findsRestored(file)
}

func TestAUserOfAnotherHousesBackupIsNotRestored(t *testing.T) {
	h := newHouse(t)
	other := h.sharing()
	there := other.dump()
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		for _, table := range h.tables() {
			column := h.ofUser(table)
			for _, r := range there[table] {
				if column != "" && r[column] == other.eve.id {
					b.add(table, r.ifAny("username", "eve-of-there"))
				}
			}
		}
	})
	h.notRestored(file)
}

func TestABackupOfATamperedDatabaseIsNotRestored(t *testing.T) {
	h := newHouse(t)
	inserted, _ := h.forgeKey(h.mia)
	h.insert("api_keys", inserted)
	file := filepath.Join(t.TempDir(), "backup")
	if _, err := maintenance.Backup(t.Context(), h.cfg, nil, file, false); err != nil {
		return
	}
	h.notRestored(file)
}

// findsRestored demands that a changed backup is not restored, or to a house whose export does not
// extend what was kept.
func (k *keeper) findsRestored(file string) {
	k.h.t.Helper()
	cfg, err := k.h.restore(file)
	if err != nil {
		return
	}
	log, err := maintenance.ReadAuditLog(k.h.t.Context(), cfg, nil)
	apptest.Must(k.h.t, err)
	k.trust.Keys = append(k.trust.Keys, log.Key)
	other := *k.h
	other.cfg, k.h = cfg, &other
	k.finds()
}
