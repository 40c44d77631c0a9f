package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// raw opens the database with nothing of ours in between.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// rows returns the rows of a query, each with its columns as texts.
func rows(t *testing.T, db *sql.DB, query string) (found [][]string) {
	t.Helper()
	result, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	columns, err := result.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for result.Next() {
		row, into := make([]string, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := result.Scan(into...); err != nil {
			t.Fatal(err)
		}
		found = append(found, row)
	}
	if err := result.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// closedDatabase makes a database with one user and closes it.
func closedDatabase(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	storetest.AddUser(t, db, "ann")
	closeDB(t, db)
	return path
}

// The driver binds $1, $2, … by number. SQLite alone would number them by appearance, and every
// query here would be wrong.
func TestTheDriverBindsPlaceholdersByNumber(t *testing.T) {
	t.Parallel()
	db := raw(t, ":memory:")
	const query = "SELECT $2, $1, $2, $3, '$4'"
	want := []string{"two", "one", "two", "three", "$4"}
	stmt, err := db.PrepareContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for how, row := range map[string]*sql.Row{
		"at once":  db.QueryRowContext(t.Context(), query, "one", "two", "three"),
		"prepared": stmt.QueryRowContext(t.Context(), "one", "two", "three"),
	} {
		got := make([]string, 5)
		if err := row.Scan(&got[0], &got[1], &got[2], &got[3], &got[4]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", how, diff)
		}
	}
}

func TestEveryTableIsStrict(t *testing.T) {
	t.Parallel()
	db := raw(t, closedDatabase(t))
	tables := map[string]string{}
	for _, row := range rows(
		t, db,
		`SELECT name, strict FROM pragma_table_list
		WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`,
	) {
		tables[row[0]] = row[1]
	}
	delete(tables, "goose_db_version") // the migrations' own
	for table, strict := range tables {
		if strict != "1" {
			t.Errorf("%s is not STRICT", table)
		}
	}
	if len(tables) < 8 {
		t.Errorf("only %d tables: this shows nothing", len(tables))
	}
	_, err := db.ExecContext(t.Context(), "UPDATE users SET number = 'many'")
	if err == nil {
		t.Error("a text was taken for a number")
	}
}

func TestEveryForeignKeyIsThere(t *testing.T) {
	t.Parallel()
	db := raw(t, closedDatabase(t))
	got := map[string]bool{}
	for _, row := range rows(
		t, db,
		`SELECT m.name, f."from", f."table"
		FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`,
	) {
		got[strings.Join(row, " ")] = true
	}
	want := []string{
		"api_keys user_id users",
		"done_requests user_id users",
		"instance_keys root_key_id root_keys",
		"leases user_id users",
		"owner_keys root_key_id root_keys",
		"owner_keys user_id users",
		"secret_versions secret_id secrets",
		"secret_versions user_id users",
		"secrets user_id users",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("foreign keys (-want +got):\n%s", diff)
	}
}

func TestMigratingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	const schema = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY name"
	const versions = "SELECT id, version_id, is_applied FROM goose_db_version ORDER BY id"
	before := append(rows(t, raw(t, path), schema), rows(t, raw(t, path), versions)...)
	for range 3 {
		db := open(t, path)
		wantNames(t, db, "ann")
		closeDB(t, db)
	}
	after := append(rows(t, raw(t, path), schema), rows(t, raw(t, path), versions)...)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("schema (-before +after):\n%s", diff)
	}
}

func TestANewerSchemaIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	migrated(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	refused(t, path, "use a newer keysake", sqlite.Open, sqlite.OpenShared)
}

func TestAnOlderSchemaIsMigratedByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	migrated(t, path, "DELETE FROM goose_db_version WHERE version_id = 1")
	refused(t, path, "start the server of this version first", sqlite.OpenShared)
}

// migrated changes what a database says of its migrations.
func migrated(t *testing.T, path, q string) {
	t.Helper()
	db := raw(t, path)
	if _, err := db.ExecContext(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsNoDatabaseIsRefusedAndKept(t *testing.T) {
	t.Parallel()
	for what, content := range map[string]string{
		"two letters": "hi", "a line": "this is somebody's diary\n",
		"a page of text": strings.Repeat("dear diary, ", 1000),
		"zeros":          strings.Repeat("\x00", 8192),
		"a header only":  "SQLite format 3\x00" + strings.Repeat("\xff", 84),
	} {
		path := filepath.Join(t.TempDir(), "keysake.db")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(what, func(t *testing.T) { refused(t, path, "not a database", sqlite.Open) })
	}
}

// refused checks that no opener opens the file at path, that the error says which file and why, and
// that nothing was changed.
func refused(
	t *testing.T, path, why string, openers ...func(context.Context, string) (*sqlite.DB, error),
) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range openers {
		db, err := open(t.Context(), path)
		if err == nil {
			closeDB(t, db)
			t.Fatal("the file was opened")
		}
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), why) {
			t.Errorf("the error %q does not say %q of %q", err, why, path)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
	found := modes(t, filepath.Dir(path))
	for name := range closedFiles(filepath.Base(path)) {
		delete(found, name)
	}
	if diff := cmp.Diff(0, len(found)); diff != "" {
		t.Errorf("other files were left (-want +got):\n%s", diff)
	}
}

func TestAPlaceWhereNoFileCanBeIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for what, path := range map[string]string{
		"a folder": dir, "no such folder": filepath.Join(dir, "missing", "keysake.db"),
	} {
		if db, err := sqlite.Open(t.Context(), path); err == nil {
			closeDB(t, db)
			t.Errorf("%s was opened", what)
		}
	}
	if n := len(modes(t, dir)); n != 0 {
		t.Errorf("%d files were made", n)
	}
}

func TestADamagedDatabaseIsNeverTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(content); i++ { // all but the header
		content[i] ^= 0x55
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		return
	}
	defer closeDB(t, db)
	err = db.View(t.Context(), func(r vault.Reader) error {
		_, err := r.RootKeys(t.Context())
		return err
	})
	if err == nil || errors.Is(err, vault.ErrNotFound) {
		t.Errorf("got %v, want an error that is not NotFound", err)
	}
}
