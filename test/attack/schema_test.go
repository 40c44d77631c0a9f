package attack_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
)

// changedSchema makes a key, lets the attacker change the schema, and demands that its revocation
// is either refused or true, that the next server does not start, and that doctor names it.
func changedSchema(t *testing.T, change func(h *House), words ...string) {
	t.Helper()
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	change(h)
	err := h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID)
	if answer, ok := errors.AsType[*client.Error](err); err == nil || ok && answer.Status == 401 {
		h.refusedKey(leaked.key)
	} else if !ok || answer.Status < 500 {
		t.Errorf("the revocation: %v", err)
	}
	h.named(words...)
	if err := h.start(); err == nil {
		t.Error("the next server started")
	} else if !strings.Contains(err.Error(), "schema") {
		t.Errorf("the next server: %v", err)
	}
}

func TestATriggerThatUndoesARevocationIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec(`CREATE TRIGGER undo AFTER UPDATE ON api_keys BEGIN
			UPDATE api_keys SET revoked_at = NULL WHERE id = NEW.id; END`)
	}, "trigger", "undo")
}

func TestATriggerThatPutsBackWhatWasDeletedIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec("CREATE TABLE kept AS SELECT * FROM api_keys")
		h.exec(`CREATE TRIGGER again AFTER DELETE ON api_keys BEGIN
			INSERT INTO api_keys SELECT * FROM kept WHERE id = OLD.id; END`)
	}, "trigger", "again")
}

func TestATriggerThatIgnoresWritesIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec(`CREATE TRIGGER ignore BEFORE UPDATE ON api_keys BEGIN
			SELECT RAISE(IGNORE); END`)
		h.exec(`CREATE TRIGGER ignore2 BEFORE DELETE ON api_keys BEGIN
			SELECT RAISE(IGNORE); END`)
	}, "trigger", "ignore")
}

func TestAViewInThePlaceOfATableIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec("ALTER TABLE api_keys RENAME TO hidden_keys")
		h.exec("CREATE VIEW api_keys AS SELECT * FROM hidden_keys")
		h.exec(`CREATE TRIGGER silence INSTEAD OF UPDATE ON api_keys BEGIN SELECT 1; END`)
	}, "view")
}

// writeSchema changes the text of a table's schema, past what ALTER TABLE allows.
func (h *House) writeSchema(name, was, now string) {
	h.t.Helper()
	h.exec("PRAGMA writable_schema = ON")
	n := h.exec("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?", was, now, name)
	if n != 1 || len(h.rows("sqlite_schema", "name = ? AND instr(sql, ?)", name, now)) != 1 {
		h.t.Fatalf("the schema of %s was not changed", name)
	}
	h.exec("PRAGMA writable_schema = RESET")
}

func TestAColumnDefaultThatWasAddedIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.writeSchema("api_keys", "expires_at   INTEGER", "expires_at INTEGER DEFAULT 1")
	}, "api_keys")
}

func TestAColumnThatWasAddedIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec("ALTER TABLE api_keys ADD COLUMN more TEXT")
	}, "api_keys")
}

func TestAGeneratedColumnIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) {
		h.exec("ALTER TABLE api_keys ADD COLUMN more TEXT AS (name || scopes) VIRTUAL")
	}, "api_keys")
}

func TestATableThatIsStrictNoMoreIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) { h.writeSchema("api_keys", ") STRICT", ")") }, "api_keys")
}

func TestAnIndexThatWasAddedOrRemovedIsRefused(t *testing.T) {
	changedSchema(t, func(h *House) { h.exec("DROP INDEX api_keys_by_user") }, "api_keys_by_user")
}

func TestAListOfMigrationsThatWasChangedIsRefused(t *testing.T) {
	for name, change := range map[string]string{
		"newer":   "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)",
		"missing": "DELETE FROM goose_db_version WHERE version_id > 0",
		"undone":  "UPDATE goose_db_version SET is_applied = 0",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.exec(change)
			h.named()
			if h.start() == nil {
				t.Error("the next server started")
			}
		})
	}
}

func TestSettingsInTheFileChangeNothing(t *testing.T) {
	h := newHouse(t)
	h.Stop(t)
	// A connection that leaves WAL mode keeps pages that others have written since: VACUUM would
	// copy the old ones.
	apptest.Must(t, h.db.Close())
	h.connect()
	for _, setting := range []string{
		"journal_mode = DELETE", "application_id = 7", "user_version = 99",
		"secure_delete = OFF", "default_cache_size = 1", "auto_vacuum = FULL",
		"case_sensitive_like = ON", "legacy_alter_table = ON", "recursive_triggers = ON",
	} {
		h.exec("PRAGMA " + setting)
	}
	h.exec("VACUUM")
	h.restart()
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.refusedKey(leaked.key)
	apptest.Must(t, h.as(h.mia).DeleteSecret(t.Context(), h.two.ID))
	h.is(h.mia, h.one, "second")
}

// copyTable makes a table liar with the rows of another one, under the same rowids if it has any.
func (h *House) copyTable(table string) {
	h.t.Helper()
	own := h.row("sqlite_schema", "name = ?", table).text("sql")
	h.exec(strings.Replace(own, "CREATE TABLE "+table, "CREATE TABLE liar", 1))
	columns := ", rowid"
	if strings.Contains(own, "WITHOUT ROWID") {
		columns = ""
	}
	for _, r := range h.rows("pragma_table_info('"+table+"')", "1 ORDER BY cid") {
		columns += ", " + r.text("name")
	}
	columns = columns[2:]
	h.exec(fmt.Sprintf("INSERT INTO liar (%s) SELECT %s FROM %s", columns, columns, table))
}

// lie makes an index of a table show the rows as change makes them, while the table has them as
// they are: the page of the index is that of another table's.
func (h *House) lie(table, index, change string) {
	h.t.Helper()
	h.copyTable(table)
	h.exec(change)
	other := strings.Replace(index, "_"+table+"_", "_liar_", 1)
	if !strings.HasPrefix(index, "sqlite_") {
		sql := h.row("sqlite_schema", "name = ?", index).text("sql")
		other = "liar_index"
		sql = strings.Replace(sql, "INDEX "+index+" ON "+table, "INDEX "+other+" ON liar", 1)
		h.exec(sql)
	}
	page := func(name string) any { return h.row("sqlite_schema", "name = ?", name)["rootpage"] }
	first, second := page(index), page(other)
	h.exec("PRAGMA writable_schema = ON")
	h.exec("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", second, index)
	h.exec("UPDATE sqlite_schema SET rootpage = ? WHERE name = ?", first, other)
	h.exec("PRAGMA writable_schema = RESET")
	h.exec("DROP TABLE liar")
}

func TestAnIndexThatLeadsATokenToAnotherKeysRowOpensNothing(t *testing.T) {
	h := newHouse(t)
	token, hash := forgeToken("ksk_")
	h.lie("api_keys", "sqlite_autoindex_api_keys_2", fmt.Sprintf(
		"UPDATE liar SET token_hash = x'%x' WHERE id = '%s'", hash, h.mia.keyID))
	h.refusedKey(token)
	h.works(h.eve)
	if h.start() == nil {
		h.refusedKey(token)
	}
	h.named()
}

func TestAnIndexThatLeadsASecretsIDToAnotherSecretShowsNothing(t *testing.T) {
	h := newHouse(t)
	h.lie("secrets", "sqlite_autoindex_secrets_1", fmt.Sprintf(
		"UPDATE liar SET id = CASE id WHEN '%s' THEN 'x' ELSE id END;"+
			"UPDATE liar SET id = '%s' WHERE id = '%s'; UPDATE liar SET id = '%s' WHERE id = 'x'",
		h.one.ID, h.one.ID, h.two.ID, h.two.ID))
	before := h.dump()
	use := func() {
		_, err := h.as(h.mia).GetSecret(t.Context(), h.one.ID)
		h.tampering("the secret", err)
		v, err := h.open(h.mia, h.one.ID)
		h.tampering("the value", err)
		if v.Len() > 0 {
			t.Error("a value was delivered")
		}
		h.tampering("the delete", h.as(h.mia).DeleteSecret(t.Context(), h.one.ID))
	}
	use()
	h.unchanged(before, "secrets", "secret_versions")
	if h.start() == nil {
		use()
	}
	h.named()
}

func TestAnIndexThatHidesASecretDoesNotShortenTheList(t *testing.T) {
	h := newHouse(t)
	h.lie("secrets", "secrets_by_name", "DELETE FROM liar WHERE id = '"+h.one.ID+"'")
	h.tamperedList(h.mia)
	if h.start() == nil {
		h.tamperedList(h.mia)
	}
	h.named()
}

func TestAnIndexThatHidesAnAPIKeyDoesNotShortenTheList(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	h.lie("api_keys", "api_keys_by_user", "DELETE FROM liar WHERE id = '"+leaked.keyID+"'")
	_, err := h.as(h.mia).ListAPIKeys(t.Context())
	h.tampering("the list of API keys", err)
	h.named()
}

func TestAnIndexThatLeadsAUsersIDToAnotherUserIsNotFollowed(t *testing.T) {
	h := newHouse(t)
	h.lie("users", "sqlite_autoindex_users_1", fmt.Sprintf(
		"UPDATE liar SET id = 'x' WHERE id = '%s'; UPDATE liar SET id = '%s' WHERE id = '%s';"+
			"UPDATE liar SET id = '%s' WHERE id = 'x'", h.mia.id, h.mia.id, h.eve.id, h.eve.id))
	for _, p := range []Person{h.mia, h.eve} {
		_, err := h.as(p).WhoAmI(t.Context())
		h.tampering("who am I", err)
		_, err = h.as(p).CreateSecret(t.Context(), secretOf(p, "NEW"))
		h.tampering("a create", err)
	}
	h.named()
}

func TestAnIndexThatLeadsAVersionToAnotherIsNotFollowed(t *testing.T) {
	h := newHouse(t)
	h.update(h.mia, h.one.ID, "ONE", "third")
	h.lie("secret_versions", "sqlite_autoindex_secret_versions_1",
		"UPDATE liar SET version = version + 10; UPDATE liar SET version = 13 - version")
	h.tampering("the rollback", h.rollback(h.mia, h.one.ID, 1))
	h.isNot(h.mia, h.one, "second")
	h.named()
}

func TestLastUsesProveNothingAndStopNobody(t *testing.T) {
	h := newHouse(t)
	h.works(h.mia)
	h.restart() // which writes the last uses
	if slices.Contains(h.tables(), "api_key_uses") {
		h.exec("UPDATE api_key_uses SET at = 9000000000000000000")
		for _, r := range h.rows("api_key_uses", "1") {
			h.insert("api_key_uses", r.with(h.key("api_key_uses")[0], newID()))
		}
	} else {
		h.exec("UPDATE api_keys SET last_used_at = 4102444800000000")
	}
	h.both(func() { h.works(h.ada, h.mia, h.eve) })
	_, err := h.as(h.mia).ListAPIKeys(t.Context())
	apptest.Must(t, err)
}

func TestStatisticsOfTheAttackersChangeNoAnswer(t *testing.T) {
	h := newHouse(t)
	h.exec("ANALYZE")
	h.exec("UPDATE sqlite_stat1 SET stat = '1 1'")
	use := func() {
		list, err := h.as(h.mia).ListSecrets(t.Context())
		if err != nil || list.Total != 2 {
			t.Errorf("%d secrets: %v", list.Total, err)
		}
	}
	use()
	if h.start() == nil {
		use()
	}
}
