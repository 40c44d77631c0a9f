package engine_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lib "modernc.org/sqlite/lib"

	"github.com/keysake/keysake/internal/store/sqlite/engine"
)

// open opens a database in memory, or in a file if a path is given.
func open(t *testing.T, path string) *engine.Conn {
	t.Helper()
	c, err := engine.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// run executes a statement and returns its rows, each column by the method for its type.
func run(c *engine.Conn, text string, args ...any) (rows [][]any, err error) {
	s, err := c.Prepare(text)
	if err != nil {
		return nil, err
	}
	defer s.Reset()
	if err := s.Bind(args); err != nil {
		return nil, err
	}
	for {
		more, err := s.Step()
		if err != nil || !more {
			return rows, err
		}
		rows = append(rows, []any{s.IsNull(0), s.Int(0), s.Text(0), s.Bytes(0)})
	}
}

func must(t *testing.T, c *engine.Conn, text string, args ...any) [][]any {
	t.Helper()
	rows, err := run(c, text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return rows
}

// wantCode checks the extended result code of an error.
func wantCode(t *testing.T, what string, err error, code int) {
	t.Helper()
	failed, ok := errors.AsType[*engine.Error](err)
	if !ok || failed.Code != code || failed.Primary() != code&0xff {
		t.Errorf("%s: got %v, want code %d", what, err, code)
	}
}

func TestAValueComesBackAsItWas(t *testing.T) {
	t.Parallel()
	c := open(t, ":memory:")
	long := strings.Repeat("long", 30_000)
	for _, value := range []any{
		"", "text", "with\x00zero", long, int64(0), int64(-1 << 63),
		[]byte{},
		[]byte{0, 1, 255},
		[]byte(long), nil, []byte(nil), "short again",
	} {
		var want []any
		switch v := value.(type) {
		case string:
			want = []any{false, int64(0), v, []byte(nil)}
		case int64:
			want = []any{false, v, "", []byte(nil)}
		case []byte:
			want = []any{v == nil, int64(0), "", v}
		case nil:
			want = []any{true, int64(0), "", []byte(nil)}
		}
		got := must(t, c, "SELECT $1", value)
		if diff := cmp.Diff([][]any{want}, got); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", value, diff)
		}
	}
}

func TestAParameterIsWhatItsNumberSays(t *testing.T) {
	t.Parallel()
	c := open(t, ":memory:")
	got := must(t, c, "SELECT $2 || $1 || $3 || $2", "a", "b", "c")
	if text := got[0][2]; text != "bacb" {
		t.Errorf("got %q", text)
	}
	for _, args := range [][]any{{}, {"a", "b"}, {"a", "b", "c", "d"}, {"a", 1, "c"}} {
		if _, err := run(c, "SELECT $2 || $1 || $3 || $2", args...); err == nil {
			t.Errorf("%q were taken", args)
		}
	}
	for _, text := range []string{"SELECT ?", "SELECT $0", "SELECT $2", "SELECT :a", "SELECT $x"} {
		if _, err := run(c, text, "a"); err == nil {
			t.Errorf("%s was prepared", text)
		}
	}
}

func TestOnlyOneStatementIsPrepared(t *testing.T) {
	t.Parallel()
	c := open(t, ":memory:")
	for _, text := range []string{"", "-- nothing", "SELECT 1; SELECT 2", "SELEKT"} {
		if _, err := run(c, text); err == nil {
			t.Errorf("%q was prepared", text)
		}
	}
	must(t, c, "SELECT 1; \n")
}

func TestAStatementIsKept(t *testing.T) {
	t.Parallel()
	c := open(t, ":memory:")
	must(t, c, "CREATE TABLE t (a)")
	first, err := c.Prepare("SELECT * FROM t")
	if err != nil {
		t.Fatal(err)
	}
	must(t, c, "INSERT INTO t VALUES ($1)", "one")
	must(t, c, "SELECT * FROM t")
	must(t, c, "ALTER TABLE t ADD COLUMN b")
	if rows := must(t, c, "SELECT * FROM t"); len(rows) != 1 {
		t.Errorf("%d rows after the table was changed", len(rows))
	}
	if again, err := c.Prepare("SELECT * FROM t"); again != first || err != nil {
		t.Errorf("it was prepared again: %v", err)
	}
}

func TestAnErrorHasItsCodeAndNoValue(t *testing.T) {
	t.Parallel()
	c := open(t, ":memory:")
	must(t, c, "CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT UNIQUE NOT NULL) STRICT")
	must(t, c, "INSERT INTO t VALUES ($1, $2)", "canary", "canary")
	_, err := run(c, "INSERT INTO t VALUES ($1, $2)", "canary", "other")
	wantCode(t, "a primary key twice", err, lib.SQLITE_CONSTRAINT_PRIMARYKEY)
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("the error has a value: %v", err)
	}
	_, err = run(c, "INSERT INTO t VALUES ($1, $2)", "other", "canary")
	wantCode(t, "a unique value twice", err, lib.SQLITE_CONSTRAINT_UNIQUE)
	_, err = run(c, "INSERT INTO t VALUES ($1, $2)", "other", nil)
	wantCode(t, "no value", err, lib.SQLITE_CONSTRAINT_NOTNULL)
	must(t, c, "INSERT INTO t VALUES ($1, $2)", "other", "other")
	if n := c.Changes(); n != 1 {
		t.Errorf("%d rows were changed", n)
	}
	_, err = engine.Open("file:" + filepath.Join(t.TempDir(), "none") + "?mode=ro")
	wantCode(t, "no file", err, lib.SQLITE_CANTOPEN)
}

func TestALockIsAwaitedForTheGivenTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "db")
	one, two := open(t, path), open(t, path)
	must(t, one, "BEGIN IMMEDIATE")
	two.SetBusyTimeout(time.Millisecond)
	_, err := run(two, "BEGIN IMMEDIATE")
	wantCode(t, "a second transaction that writes", err, lib.SQLITE_BUSY)
	var commit sync.WaitGroup
	commit.Go(func() {
		time.Sleep(10 * time.Millisecond)
		_, _ = run(one, "COMMIT")
	})
	two.SetBusyTimeout(time.Minute)
	must(t, two, "BEGIN IMMEDIATE")
	commit.Wait() // a connection is used by one goroutine at a time
	must(t, two, "ROLLBACK")
}

func TestPagesThatAreWrittenAreCounted(t *testing.T) {
	t.Parallel()
	c := open(t, filepath.Join(t.TempDir(), "db"))
	must(t, c, "PRAGMA journal_mode(WAL)")
	must(t, c, "CREATE TABLE t (a)")
	c.PagesWritten()
	must(t, c, "INSERT INTO t VALUES ($1)", bytes.Repeat([]byte("x"), 10*4096))
	if n := c.PagesWritten(); n < 10 || n > 15 {
		t.Errorf("%d pages for ten", n)
	}
	if n := c.PagesWritten(); n != 0 {
		t.Errorf("%d pages for nothing", n)
	}
}

func TestWhatIsKeptOfADatabaseIsGivenBack(t *testing.T) {
	t.Parallel()
	c := open(t, filepath.Join(t.TempDir(), "db"))
	must(t, c, "CREATE TABLE t (a)")
	must(t, c, "INSERT INTO t VALUES ($1)", bytes.Repeat([]byte("x"), 100*4096))
	if kept := c.Kept(); kept < 100*4096 {
		t.Errorf("%d bytes are kept of a hundred pages", kept)
	}
	c.Shrink()
	if kept := c.Kept(); kept > 10*4096 {
		t.Errorf("%d bytes are still kept", kept)
	}
}

func TestAFileIsSynced(t *testing.T) {
	t.Parallel()
	c := open(t, filepath.Join(t.TempDir(), "db"))
	must(t, c, "CREATE TABLE t (a)")
	if err := c.Sync(); err != nil {
		t.Error(err)
	}
}
