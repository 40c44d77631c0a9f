package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

func newDB(tb testing.TB) (db *sqlite.DB, path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "keysake.db")
	db, err := sqlite.Open(tb.Context(), path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() }) // the test that minds its error closes it itself
	return db, path
}

// backedUp returns a backup of a database, as it is read.
func backedUp(tb testing.TB, db *sqlite.DB) (*backup.File, []byte) {
	tb.Helper()
	var b bytes.Buffer
	err := db.Snapshot(tb.Context(), func(src backup.Source) error {
		_, _, err := backup.Write(tb.Context(), &b, src, 1, time.Unix(1, 0))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	f, err := backup.Open(tb.Context(), bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	return f, b.Bytes()
}

// fillWithRows writes rows past the vault: more than one page of each table, with every column set
// to something of its own in some row.
func fillWithRows(tb testing.TB, path string) {
	tb.Helper()
	db, err := mustOpen(tb, path).BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := db.Commit(); err != nil {
			tb.Fatal(err)
		}
	}()
	n := 0
	insert := func(table string, values ...any) {
		_, err := db.ExecContext(
			tb.Context(),
			"INSERT INTO "+table+" VALUES ("+marks(len(values))+")",
			values...)
		if err != nil {
			tb.Fatalf("%s: %v", table, err)
		}
		n++
	}
	hash := func() []byte { return fmt.Appendf(nil, "%032d", n) }
	id := func() string { return uuid.NewString() } // of version 4: in no order
	root, old := id(), id()
	insert("root_keys", root, "file:/k", "", "primary", []byte("check"), 1, nil, nil)
	insert("root_keys", old, "passphrase:", "$argon2id$", "retired", []byte("check"), 0, 2, 3)
	instance := id()
	insert("instance", instance, 7, hash())
	for i := range 230 {
		user, key := id(), id()
		insert("users", user, fmt.Sprint("user ", i), "e", "f", key, 1, 2, hash(), n, nil)
		insert("owner_keys", key, user, root, []byte(fmt.Sprint("wrapped", n)), n)
		insert("api_keys", id(), user, hash(), "ksk_", "name", "a b", i%2, n, n, nil, n)
		for range 1 + i%3 {
			secret := id()
			insert(
				"secrets",
				secret,
				user,
				fmt.Sprint("S", n),
				"openai",
				9,
				[]byte("mask"),
				[]byte(fmt.Sprint("value", n)),
				n,
				n,
			)
			insert(
				"secret_versions",
				secret,
				7,
				user,
				[]byte("mask"),
				[]byte(fmt.Sprint("value", n)),
				n,
			)
			insert(
				"secret_versions",
				secret,
				8,
				user,
				[]byte("mask"),
				[]byte(fmt.Sprint("value", n)),
				n,
			)
		}
		insert("audit_entries", user, 2, n, user, "api-key", key, user, "192.0.2.7", "a", "done",
			"secret", key, "n", 1, key, "run", hash())
		insert("audit_entries", user, 10, n, "", "", "", "", "", "a", "refused", "", "", "n", 0, "",
			"", hash())
	}
	gone := id()
	insert("users", gone, "", "", "", "", 0, 1, hash(), 1, n)
	insert("audit_entries", instance, 1, n, "", "", "", "", "", "a", "done", "", "", "", 0, "", "",
		hash())
}

func marks(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, ", $%d", i+1)
	}
	return b.String()[2:]
}

func TestEveryRowIsInABackupAndComesBack(t *testing.T) {
	db, path := newDB(t)
	fillWithRows(t, path)
	f, first := backedUp(t, db)
	again, copied := newDB(t)
	if err := again.Load(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if _, second := backedUp(t, again); !bytes.Equal(first, second) {
		t.Error("a backup of what was restored is another one")
	}
	if diff := cmp.Diff(contents(t, path), contents(t, copied)); diff != "" {
		t.Error(diff)
	}
}

// contents returns all rows of all tables but goose's, as the database has them.
func contents(tb testing.TB, path string) map[string][]string {
	tb.Helper()
	db := mustOpen(tb, path)
	found := map[string][]string{}
	for _, table := range column(
		tb, db,
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'goose_%' AND name NOT LIKE 'sqlite_%'",
	) {
		rows, err := db.QueryContext(tb.Context(), "SELECT * FROM "+table)
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		columns, err := rows.Columns()
		if err != nil {
			tb.Fatal(err)
		}
		for rows.Next() {
			row, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				tb.Fatal(err)
			}
			found[table] = append(found[table], fmt.Sprintf("%q", row))
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		slices.Sort(found[table])
		if len(found[table]) < 2 && table != "instance" {
			tb.Errorf("%s has %d rows: the test does not fill it", table, len(found[table]))
		}
	}
	return found
}

func column(tb testing.TB, db *sql.DB, q string) (found []string) {
	tb.Helper()
	rows, err := db.QueryContext(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			tb.Fatal(err)
		}
		found = append(found, s)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return found
}

func TestALoadIsWholeOrNotAtAll(t *testing.T) {
	db, path := newDB(t)
	fillWithRows(t, path)
	f, _ := backedUp(t, db)
	if err := db.Load(t.Context(), f); vault.KindOf(err) != vault.Conflict {
		t.Errorf("over something: %v", err)
	}
	empty, emptyPath := newDB(t)
	torn := errors.New("the disk is torn")
	if err := empty.Load(t.Context(), tornSource{f, torn}); !errors.Is(err, torn) {
		t.Errorf("a source that breaks: %v", err)
	}
	if n := len(
		column(
			t,
			mustOpen(t, emptyPath),
			"SELECT id FROM users UNION ALL SELECT id FROM root_keys",
		),
	); n != 0 {
		t.Errorf("%d rows were left of it", n)
	}
	if err := empty.Load(t.Context(), tornSource{f, nil}); err == nil {
		t.Error("a source with fewer rows than it counts was loaded")
	}
	if err := empty.Load(t.Context(), f); err != nil {
		t.Errorf("and then a whole one: %v", err)
	}
}

func mustOpen(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// tornSource ends with an error, or without one, in the middle of the last table.
type tornSource struct {
	backup.Source

	err error
}

func (s tornSource) AuditEntries(ctx context.Context) iter.Seq2[backup.AuditEntry, error] {
	return func(yield func(backup.AuditEntry, error) bool) {
		n := 0
		for e, err := range s.Source.AuditEntries(ctx) {
			if n++; n == 300 {
				if s.err != nil {
					yield(backup.AuditEntry{}, s.err)
				}
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func TestASnapshotStaysAsItIsWhileOthersWrite(t *testing.T) {
	db, path := newDB(t)
	fillWithRows(t, path)
	err := db.Snapshot(t.Context(), func(src backup.Source) error {
		before, err := src.Count(t.Context())
		if err != nil {
			return err
		}
		if _, err := mustOpen(
			t,
			path,
		).ExecContext(t.Context(), "DELETE FROM audit_entries"); err != nil {
			return err
		}
		n := int64(0)
		for _, err := range src.AuditEntries(t.Context()) {
			if err != nil {
				return err
			}
			n++
		}
		if n != before.AuditEntries || n == 0 {
			t.Errorf("%d entries, and %d were counted", n, before.AuditEntries)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadingInPagesSortsNoWholeTable(t *testing.T) {
	_, path := newDB(t)
	db := mustOpen(t, path)
	for table, key := range map[string]string{
		"users": "id", "owner_keys": "user_id, id", "api_keys": "user_id, id",
		"secrets":         "user_id, id",
		"secret_versions": "user_id, secret_id, version", "audit_entries": "owner_id, seq",
	} {
		n := len(bytes.Split([]byte(key), []byte(",")))
		rows, err := db.QueryContext(
			t.Context(),
			fmt.Sprintf(
				"EXPLAIN QUERY PLAN SELECT * FROM %s WHERE (%s) > (%s) ORDER BY %s LIMIT 9",
				table,
				key,
				marks(n),
				key,
			),
			make([]any, n)...)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix([]byte(detail), []byte("SCAN")) ||
				detail == "USE TEMP B-TREE FOR ORDER BY" {
				t.Errorf("%s: %s", table, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
}

func TestInspectionChangesNothingAndFindsDamage(t *testing.T) {
	db, path := newDB(t)
	fillWithRows(t, path)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	inspected, err := sqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	newest, err := store.SchemaVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := inspected.Schema(t.Context()); err != nil || v != newest || v < 1 {
		t.Errorf("schema %d of %d: %v", v, newest, err)
	}
	if found, err := inspected.Integrity(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("a sound database: %v, %v", found, err)
	}
	if _, err := mustOpen(
		t,
		path,
	).ExecContext(
		t.Context(), "UPDATE owner_keys SET user_id = 'nobody' WHERE rowid = 5",
	); err != nil {
		t.Fatal(err)
	}
	if found, err := inspected.Integrity(t.Context()); err != nil || len(found) != 1 {
		t.Errorf("a row of nobody: %v, %v", found, err)
	}
	if err := inspected.Close(); err != nil {
		t.Error(err)
	}
	if _, err := sqlite.OpenReadOnly(t.Context(), filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a database that is not there was made")
	}
}
