package attack_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/plaintext"
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

func TestABackupWithAnInsertedAPIKeyIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	inserted, _ := h.forgeKey(h.ada, "parent_id", "")
	h.changeBackup(file, func(b *changedBackup) { b.add("api_keys", inserted) })
	h.notRestored(file)
}

func TestABackupWithAddedScopesIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		b.set("api_keys", "id", h.eve.keyID, "scopes", "admin secrets:read secrets:write")
	})
	h.notRestored(file)
}

func TestABackupWithARenamedSecretIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		b.set("secrets", "id", h.one.ID, "name", "PATH")
	})
	h.notRestored(file)
}

func TestABackupWithARowOfYesterdayIsNotRestored(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.two.ID, "TWO", "second")
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		b.drop("secrets", "id", h.two.ID)
		b.add("secrets", yesterday.row("secrets", "id", h.two.ID))
	})
	h.notRestored(file)
}

func TestABackupWithoutASecretIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) { b.drop("secrets", "id", h.two.ID) })
	h.notRestored(file)
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

func TestARestoreRevivesNoAPIKey(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	file := h.backup()
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	cfg := h.elsewhere()
	_, err := maintenance.Restore(
		t.Context(), cfg, nil, file, maintenance.RestoreOptions{Username: "ada"})
	apptest.Must(t, err)
	other := *h
	other.cfg, other.Server = cfg, apptest.StartWith(t, cfg)
	other.connect()
	other.both(func() {
		for _, key := range []plaintext.Value{leaked.key, h.mia.key, h.ada.key} {
			_, err := other.ClientWith(t, key).WhoAmI(t.Context())
			if answer, ok := errors.AsType[*client.Error](err); !ok || answer.Status != 401 {
				t.Errorf("a restored key is not suspended: %v", err)
			}
		}
	})
}

func TestRowsOfBeforeARestoreDoNotCountAfterIt(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.update(h.mia, h.two.ID, "TWO", "abandoned")
	late := h.newKey(h.mia, "late", "secrets:read")
	before := h.dump()
	other := h.restoredHouse(file)
	other.putBack("api_keys", before.row("api_keys", "id", late.keyID))
	other.putBack("secrets", before.row("secrets", "id", h.two.ID))
	other.both(func() { other.refusedKey(late.key) })
	other.named()
	other.putBackUser(before, h.mia.id)
	other.both(func() {
		other.refusedKey(late.key)
		other.refusedKey(h.mia.key)
	})
	other.named()
}

func TestRowsOfARestoredCopyDoNotCountInTheHouse(t *testing.T) {
	h := newHouse(t)
	other := h.restoredHouse(h.backup())
	other.Stop(t)
	name, key, err := instance.NewAdminKey(t.Context(), other.cfg, nil, "mia")
	if err != nil || name != "mia" {
		t.Fatal(name, err)
	}
	there := other.dump()
	for _, r := range there["api_keys"] {
		if r["user_id"] == h.mia.id && len(h.rows("api_keys", "id = ?", r["id"])) == 0 {
			h.insert("api_keys", r)
		}
	}
	h.both(func() { h.refusedKey(key) })
	h.putBackUser(there, h.mia.id)
	h.both(func() { h.refusedKey(key) })
	h.named()
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
