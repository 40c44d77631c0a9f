package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/store/sqlite/engine"
)

// openGathered opens a database whose log is gathered. Its cache has ten pages, so that a
// transaction writes to the log before it is committed.
func openGathered(t *testing.T, path string) *engine.Conn {
	t.Helper()
	c := open(t, path)
	for _, setting := range []string{
		"journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)", "cache_size(10)",
	} {
		must(t, c, "PRAGMA "+setting)
	}
	must(t, c, "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB) STRICT")
	if err := c.GatherLog(); err != nil {
		t.Fatal(err)
	}
	return c
}

const rows = 500

// fill writes in one transaction, to many pages twice, and ends it with a statement.
func fill(c *engine.Conn, size int, end string) error {
	if _, err := run(c, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for i := range int64(rows) {
		_, err := run(c, "INSERT INTO t VALUES ($1, $2)", i, bytes.Repeat([]byte{1}, size))
		if err != nil {
			return err
		}
		if i%7 != 0 {
			continue
		}
		_, err = run(c, "UPDATE t SET b = $1 WHERE a = $2", bytes.Repeat([]byte{2}, size), i/2)
		if err != nil {
			return err
		}
	}
	_, err := run(c, end)
	return err
}

// wantRows checks a database, as a connection sees it.
func wantRows(t *testing.T, what string, c *engine.Conn, want int64) {
	t.Helper()
	if got := must(t, c, "SELECT count(*) FROM t")[0][1]; got != want {
		t.Errorf("%s: got %d rows, want %d", what, got, want)
	}
	if got := must(t, c, "PRAGMA integrity_check")[0][2]; got != "ok" {
		t.Errorf("%s: %s", what, got)
	}
}

func TestALogThatIsGatheredIsWholeAfterEachCommit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	c, other := openGathered(t, path), open(t, path)
	for _, size := range []int{10, 1000, 5000} { // up to more than is gathered at once
		if err := fill(c, size, "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		wantRows(t, "after a rollback", c, 0)
		if err := fill(c, size, "COMMIT"); err != nil {
			t.Fatal(err)
		}
		wantRows(t, "the connection itself", c, rows)
		wantRows(t, "another connection", other, rows)
		left := t.TempDir()
		for _, file := range []string{"db", "db-wal"} {
			content, err := os.ReadFile(filepath.Join(filepath.Dir(path), file))
			if err == nil {
				err = os.WriteFile(filepath.Join(left, file), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		wantRows(t, "what a process leaves", open(t, filepath.Join(left, "db")), rows)
		must(t, c, "DELETE FROM t")
		must(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
}
