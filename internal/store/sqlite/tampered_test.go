package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// rewrite is SQL that replaces a text in the stored schema of a table, which no ALTER can do.
func rewrite(table, from, to string) string {
	return "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '" + from +
		"', '" + to + "') WHERE name = '" + table + "'; PRAGMA writable_schema = RESET"
}

const neverRevoked = `CREATE TRIGGER keeper BEFORE UPDATE OF revoked_at ON api_keys
	BEGIN SELECT RAISE(IGNORE); END`

func TestASchemaThatNoMigrationMakesIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ sql, says string }{
		"a trigger":     {neverRevoked, `trigger "keeper" was added`},
		"a view":        {"CREATE VIEW all_users AS SELECT 1", `view "all_users" was added`},
		"a table":       {"CREATE TABLE notes (text TEXT)", `table "notes" was added`},
		"an index":      {"CREATE INDEX extra ON users (email_address)", `index "extra" was added`},
		"an index less": {"DROP INDEX secrets_by_name", `index "secrets_by_name" is missing`},
		"a column":      {"ALTER TABLE users ADD COLUMN note TEXT", `table "users" was changed`},
		"a view as a table": {
			"DROP TABLE secret_versions; CREATE VIEW secret_versions AS SELECT 1",
			`table "secret_versions" is missing`,
		},
		"a default": {
			rewrite("api_keys", "revoked_at   INTEGER", "revoked_at   INTEGER DEFAULT NULL"),
			`table "api_keys" was changed`,
		},
		"a check less": {
			rewrite("api_keys", " CHECK (self_revoke IN (0, 1))", ""),
			`table "api_keys" was changed`,
		},
		"an index of other rows": {
			"DROP INDEX users_by_username; " +
				"CREATE UNIQUE INDEX users_by_username ON users (username)",
			`index "users_by_username" was changed`,
		},
		"a migration twice": {
			"INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1)", "migrations",
		},
		"a migration undone": {"UPDATE goose_db_version SET is_applied = 0", "migrations"},
	} {
		t.Run(what, func(t *testing.T) {
			path := closedDatabase(t)
			migrated(t, path, c.sql)
			refused(t, path, c.says, sqlite.Open, sqlite.OpenShared)
			inspected, err := sqlite.OpenReadOnly(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer inspected.Close()
			err = inspected.CheckSchema(t.Context())
			if _, ok := errors.AsType[*sqlite.SchemaError](err); !ok {
				t.Errorf("an inspection finds %v", err)
			}
		})
	}
}

func TestTablesOfOthersAreNotMigrated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	migrated(t, path, "PRAGMA journal_mode = WAL; CREATE TABLE diary (entry TEXT)")
	refused(t, path, `table "diary" was added`, sqlite.Open)
	path = closedDatabase(t)
	migrated(t, path, "DELETE FROM goose_db_version WHERE version_id = 1")
	refused(t, path, `was added`, sqlite.Open)
}

// A trigger that comes while the server runs would let it answer what it has not done.
func TestATriggerThatComesLaterStopsUpdatesUntilItIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	ann := storetest.AddUser(t, db, "ann")
	k := vault.APIKey{ID: storetest.NewUser("").Owner, User: ann.Owner, CreatedAt: ann.CreatedAt}
	insertKey := func(tx vault.Tx) error { return tx.InsertAPIKey(context.Background(), k) }
	if err := db.Update(t.Context(), insertKey); err != nil {
		t.Fatal(err)
	}
	revoke := func() error {
		return db.Update(t.Context(), func(tx vault.Tx) error {
			return tx.RevokeAPIKey(context.Background(), ann.Owner, k.ID, ann.CreatedAt)
		})
	}
	migrated(t, path, neverRevoked)
	for range 2 {
		err := revoke()
		if _, ok := errors.AsType[*sqlite.SchemaError](err); !ok ||
			!strings.Contains(err.Error(), "keeper") {
			t.Fatalf("a revocation that a trigger would undo: %v", err)
		}
	}
	wantNames(t, db, "ann") // reads go on
	migrated(t, path, "DROP TRIGGER keeper")
	if err := revoke(); err != nil {
		t.Error(err)
	}
	migrated(t, path, "VACUUM") // which SQLite counts as a change
	storetest.AddUser(t, db, "bob")
}
