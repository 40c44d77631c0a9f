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
	"strings"
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
		m := backup.Manifest{Schema: 1, CreatedAt: time.Unix(1, 0)}
		_, _, err := backup.Write(tb.Context(), &b, src, m)
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
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")
		_, err := db.ExecContext(
			tb.Context(),
			"INSERT INTO "+table+" VALUES ("+marks+")",
			values...)
		if err != nil {
			tb.Fatalf("%s: %v", table, err)
		}
		n++
	}
	hash := func() []byte { return fmt.Appendf(nil, "%032d", n) }
	id := func() string { return uuid.NewString() } // of version 4: in no order
	root, old := id(), id()
	insert("root_keys", root, "", []byte("check"), 1)
	insert("root_keys", old, "$argon2id$", []byte("check"), 0)
	for range 2 {
		insert("instance_keys", id(), root, []byte("wrapped"), "", n)
	}
	instance := id()
	insert("instance", instance, 7, hash())
	for i := range 230 {
		user, key := id(), id()
		insert("users", user, 2, hash(), fmt.Sprint("user ", i), "e", "f", n, n+1, n+2, 0, 0, n,
			n+3, nil)
		insert("owner_keys", key, user, root, []byte(fmt.Sprint("wrapped", n)), n)
		used := id()
		kind := []string{
			"", "session", "sign-in-link", "trust", "workload", "device", "identity", "grant",
		}[i%8]
		terms, presented := "", []byte{}
		switch kind {
		case "workload", "identity":
			terms, presented = "{}", hash()
		case "trust", "grant":
			terms = "{}"
		}
		insert("api_keys", used, user, id(), hash(), "ksk_", "name", "a b", i%2, 1-i%2, n, n, nil,
			kind, terms, presented)
		insert("api_key_uses", used, n)
		for range 1 + i%3 {
			secret := id()
			name, value := fmt.Sprint("S", n), fmt.Append(nil, "value", n)
			stamp, mask := fmt.Appendf(nil, "%016d", n), []byte("mask")
			insert("secrets", secret, user, name, "openai", 9, stamp, mask, value, n, n,
				nil, 5)
			insert("secret_versions", secret, 7, user, "WAS", stamp, mask, value, n)
			insert("secret_versions", secret, 8, user, "WAS", stamp, mask, value, n)
		}
		lease := id()
		insert("leases", lease, user, key, "name", key, user, "other", "ticket", hash(),
			"run", "label", "", fmt.Sprintf("%s 3 - NAME\n", key), n, n, n, nil, nil)
		insert("broker_uses", user, lease, 3, n, 0)
		insert("broker_requests", user, id(), lease, key, n, "GET", "h", "/p", 200, 1, 2, n, 0, "",
			"")
		insert("secret_uses", user, key, 4, n, lease, fmt.Appendf(nil, "%016d", n), n, nil)
		insert("usage_days", n, user, 3, 2, 4)
		insert("audit_entries", user, 2, n, user, "api-key", key, user, "192.0.2.7", "a", "done",
			"secret", key, "n", 1, key, "run", hash())
		insert("audit_entries", user, 10, n, "", "", "", "", "", "a", "refused", "", "", "n", 0, "",
			"", hash())
		insert("secret_health", user, key, 4, fmt.Appendf(nil, "%016d", n), "valid", "models",
			200, "", "{}", nil, n, key, hash())
		insert("webhook_events", id(), user, key, "{}", n, i%3, n+1, key, hash())
		insert("secret_notices", user, key, "expired", n)
		insert("done_requests", user, hash(), hash(), "a", key, i, n, key, hash())
	}
	for range 3 {
		insert("device_logins", hash(), id(), hash(), "n", "192.0.2.7", "a b", n, id(), hash())
	}
	insert("users", id(), 1, hash(), "", "", "", 1, nil, nil, 0, 0, nil, nil, n)
	insert("audit_entries", instance, 1, n, "", "", "", "", "", "a", "done", "", "", "", 0, "", "",
		hash())
}

// filled returns a database with rows, and a backup of it.
func filled(t *testing.T) (db *sqlite.DB, path string, f *backup.File) {
	t.Helper()
	db, path = newDB(t)
	fillWithRows(t, path)
	f, _ = backedUp(t, db)
	return db, path, f
}

func TestEveryRowIsInABackupAndComesBack(t *testing.T) {
	db, path, f := filled(t)
	_, first := backedUp(t, db)
	again, copied := newDB(t)
	if err := again.Load(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if _, second := backedUp(t, again); !bytes.Equal(first, second) {
		t.Error("a backup of what was restored is another one")
	}
	if diff := cmp.Diff(contents(t, db, path), contents(t, again, copied)); diff != "" {
		t.Error(diff)
	}
}

// contents returns all rows of all tables but goose's, as SQL literals.
func contents(t *testing.T, db *sqlite.DB, path string) map[string][][]string {
	t.Helper()
	found := map[string][][]string{}
	for _, table := range tables(t, db) {
		var columns []string
		for _, c := range table.Columns {
			columns = append(columns, "quote("+c.Name+")")
		}
		all := rows(t, mustOpen(t, path),
			"SELECT "+strings.Join(columns, ", ")+" FROM "+table.Name+" ORDER BY 1, 2")
		if len(all) < 2 && table.Name != "instance" {
			t.Errorf("%s has %d rows: the test does not fill it", table.Name, len(all))
		}
		found[table.Name] = all
	}
	return found
}

func column(t *testing.T, db *sql.DB, q string) (found []string) {
	t.Helper()
	for _, row := range rows(t, db, q) {
		found = append(found, row[0])
	}
	return found
}

func TestALoadIsWholeOrNotAtAll(t *testing.T) {
	db, _, f := filled(t)
	if err := db.Load(t.Context(), f); vault.KindOf(err) != vault.Conflict {
		t.Errorf("over something: %v", err)
	}
	empty, emptyPath := newDB(t)
	lost := errors.New("the disk is lost")
	if err := empty.Load(t.Context(), torn(f, lost)); !errors.Is(err, lost) {
		t.Errorf("a source that breaks: %v", err)
	}
	const ids = "SELECT id FROM users UNION ALL SELECT id FROM root_keys"
	if n := len(column(t, mustOpen(t, emptyPath), ids)); n != 0 {
		t.Errorf("%d rows were left of it", n)
	}
	if err := empty.Load(t.Context(), torn(f, nil)); err == nil {
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

// changed is a source with other rows in a table: change gets the number of each row, from 1, and
// returns what is there instead. Without a row or an error, the table ends.
type changed struct {
	backup.Source

	table  string
	change func(n int, row backup.Row) (backup.Row, error)
}

func (s changed) Rows(ctx context.Context, table string) iter.Seq2[backup.Row, error] {
	if table != s.table {
		return s.Source.Rows(ctx, table)
	}
	return func(yield func(backup.Row, error) bool) {
		n := 0
		for row, err := range s.Source.Rows(ctx, table) {
			if n++; err == nil {
				row, err = s.change(n, row)
			}
			if row == nil && err == nil || !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// torn ends a source with an error, or without one, in the middle of the last table.
func torn(src backup.Source, err error) backup.Source {
	return changed{src, "audit_entries", func(n int, row backup.Row) (backup.Row, error) {
		if n == 300 {
			return nil, err
		}
		return row, nil
	}}
}

// damaged puts another value into the first row of a table.
func damaged(t *testing.T, src backup.Source, table, column string, value any) backup.Source {
	t.Helper()
	described, err := src.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	isTable := func(t backup.Table) bool { return t.Name == table }
	columns := described[slices.IndexFunc(described, isTable)].Columns
	at := slices.IndexFunc(columns, func(c backup.Column) bool { return c.Name == column })
	return changed{src, table, func(n int, row backup.Row) (backup.Row, error) {
		if n == 1 {
			row[at] = value
		}
		return row, nil
	}}
}

func TestASnapshotStaysAsItIsWhileOthersWrite(t *testing.T) {
	db, path := newDB(t)
	fillWithRows(t, path)
	err := db.Snapshot(t.Context(), func(src backup.Source) error {
		before, err := src.Tables(t.Context())
		if err != nil {
			return err
		}
		_, err = mustOpen(t, path).ExecContext(t.Context(), "DELETE FROM audit_entries")
		if err != nil {
			return err
		}
		for _, table := range before {
			n := int64(0)
			for _, err := range src.Rows(t.Context(), table.Name) {
				if err != nil {
					return err
				}
				n++
			}
			if n != table.Rows || n == 0 {
				t.Errorf("%d rows of %s, and %d were counted", n, table.Name, table.Rows)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tables returns the descriptions of all tables, from the database at path.
func tables(tb testing.TB, db *sqlite.DB) (found []backup.Table) {
	tb.Helper()
	err := db.Snapshot(tb.Context(), func(src backup.Source) (err error) {
		found, err = src.Tables(tb.Context())
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func TestEveryColumnOfTheSchemaIsInOneDescription(t *testing.T) {
	db, path := newDB(t)
	schema := mustOpen(t, path)
	kinds := map[string]backup.Kind{
		"TEXT": backup.Text, "INTEGER": backup.Integer, "BLOB": backup.Blob,
	}
	want, got := map[string]backup.Kind{}, map[string]backup.Kind{}
	for _, row := range rows(t, schema, `SELECT m.name, c.name, c.type FROM sqlite_schema m,
		pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'goose_%'
		AND m.name NOT LIKE 'sqlite_%'`) {
		want[row[0]+" "+row[1]] = kinds[row[2]]
	}
	seen := map[string]bool{}
	for _, table := range tables(t, db) {
		key := map[string]bool{}
		for i, c := range table.Columns {
			if _, twice := got[table.Name+" "+c.Name]; twice {
				t.Errorf("%s of %s is described twice", c.Name, table.Name)
			}
			got[table.Name+" "+c.Name] = c.Kind
			key[c.Name] = i < table.Key
		}
		const primary = "SELECT name FROM pragma_table_info('%s') WHERE pk > 0"
		for _, name := range column(t, schema, fmt.Sprintf(primary, table.Name)) {
			if !key[name] {
				t.Errorf("the key of %s is not unique: it lacks %s", table.Name, name)
			}
		}
		const parents = `SELECT "table" FROM pragma_foreign_key_list('%s')`
		for _, parent := range column(t, schema, fmt.Sprintf(parents, table.Name)) {
			if !seen[parent] {
				t.Errorf("%s comes before %s, to which it refers", table.Name, parent)
			}
		}
		seen[table.Name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns of the schema and of the descriptions (-want +got):\n%s", diff)
	}
}

func TestReadingInPagesSortsNoWholeTable(t *testing.T) {
	opened, path := newDB(t)
	db := mustOpen(t, path)
	for _, table := range tables(t, opened) {
		var names []string
		for _, c := range table.Columns[:table.Key] {
			names = append(names, c.Name)
		}
		key := strings.Join(names, ", ")
		plan := rows(t, db, fmt.Sprintf(
			"EXPLAIN QUERY PLAN SELECT * FROM %s WHERE (%s) > (%s) ORDER BY %s LIMIT 9",
			table.Name, key, strings.TrimSuffix(strings.Repeat("'', ", table.Key), ", "), key))
		for _, step := range plan {
			detail := step[3]
			if strings.HasPrefix(detail, "SCAN") || detail == "USE TEMP B-TREE FOR ORDER BY" {
				t.Errorf("%s: %s", table.Name, detail)
			}
		}
	}
}

func TestARowThatItsTableCannotHoldIsADamagedRow(t *testing.T) {
	_, _, f := filled(t)
	empty, _ := newDB(t)
	const text, short = "\x1b[31m", "\x01\x02"
	for _, c := range []struct {
		table, column string
		value         any
	}{
		{"users", "id", text},
		{"users", "id", "F0000000-0000-4000-8000-000000000000"},
		{"users", "username", "\xff"},
		{"users", "number", nil},
		{"users", "number", int64(-1)},
		{"users", "ledger", nil},
		{"instance", "id", text},
		{"instance", "number", int64(-1)},
		{"instance", "ledger", nil},
		{"root_keys", "id", text},
		{"root_keys", "check_value", nil},
		{"owner_keys", "root_key_id", text},
		{"owner_keys", "wrapped", nil},
		{"api_keys", "token_hash", []byte(short)},
		{"api_keys", "self_revoke", int64(2)},
		{"api_keys", "suspended", int64(2)},
		{"api_key_uses", "key_id", text},
		{"secrets", "version", int64(-1)},
		{"secrets", "name", nil},
		{"secret_versions", "secret_id", text},
		{"secret_versions", "version", int64(-7)},
		{"audit_entries", "client", text},
		{"audit_entries", "client", "::ffff:192.0.2.07"},
		{"audit_entries", "target_version", int64(-1)},
		{"audit_entries", "hash", []byte(short)},
		{"done_requests", "version", int64(-1)},
		{"done_requests", "code", []byte(short)},
		{"device_logins", "hash", []byte(short)},
	} {
		err := empty.Load(t.Context(), damaged(t, f, c.table, c.column, c.value))
		found, ok := errors.AsType[*store.DamagedError](err)
		if !ok || found.Table != c.table || found.Column != c.column || found.Row != 1 ||
			strings.Contains(err.Error(), text) {
			t.Errorf("%s of %s is %q: %v", c.column, c.table, c.value, err)
		}
	}
}

func TestTypedRowsGoOnAfterADamagedOne(t *testing.T) {
	_, _, f := filled(t)
	whole, broken := 0, 0
	src := damaged(t, f, "users", "number", int64(-1))
	for _, err := range store.Users(t.Context(), src) {
		switch _, found := errors.AsType[*store.DamagedError](err); {
		case err == nil:
			whole++
		case found:
			broken++
		default:
			t.Fatal(err)
		}
	}
	if broken != 1 || whole != 230 {
		t.Errorf("%d rows, %d damaged", whole, broken)
	}
	keys, err := store.RootKeys(t.Context(), f)
	if err != nil || len(keys) != 2 || keys[0].OwnerKeys != 0 || keys[1].OwnerKeys != 230 {
		t.Errorf("root keys %+v: %v", keys, err)
	}
	keys, err = store.RootKeys(t.Context(), damaged(t, f, "root_keys", "check_value", nil))
	if err == nil || len(keys) != 1 {
		t.Errorf("%d root keys of two, one of them damaged: %v", len(keys), err)
	}
}

func TestASourceWithOtherTablesIsNotLoaded(t *testing.T) {
	_, _, f := filled(t)
	for what, change := range map[string]func(*[]backup.Table){
		"a table less":        func(t *[]backup.Table) { *t = (*t)[1:] },
		"another table":       func(t *[]backup.Table) { (*t)[0].Name = "leases" },
		"a column less":       func(t *[]backup.Table) { (*t)[0].Columns = (*t)[0].Columns[:3] },
		"another key":         func(t *[]backup.Table) { (*t)[0].Key++ },
		"a count that is off": func(t *[]backup.Table) { (*t)[0].Rows++ },
	} {
		empty, _ := newDB(t)
		if err := empty.Load(t.Context(), describedSource{f, change}); err == nil {
			t.Errorf("%s: it was loaded", what)
		}
	}
}

// describedSource is a source with other descriptions of its tables.
type describedSource struct {
	backup.Source

	change func(*[]backup.Table)
}

func (s describedSource) Tables(ctx context.Context) ([]backup.Table, error) {
	tables, err := s.Source.Tables(ctx)
	tables = slices.Clone(tables)
	s.change(&tables)
	return tables, err
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
