package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// childVariable makes this program start a server, say where, and wait to be killed.
const childVariable = "PGTEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if _, err := pgtest.Start(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("started")
		select {}
	}
	os.Exit(m.Run())
}

// query returns the first column of a query's rows as texts.
func query(t *testing.T, url, sql string) (texts []string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, err := c.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	if texts, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	return texts
}

func exec1(t *testing.T, url, sql string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestCommitsAreDurableAndNobodyElseConnects(t *testing.T) {
	t.Parallel()
	const settings = `SELECT name || '=' || setting FROM pg_settings WHERE name IN ('fsync',
		'full_page_writes', 'synchronous_commit', 'listen_addresses') ORDER BY name`
	want := []string{
		"fsync=on", "full_page_writes=on", "listen_addresses=127.0.0.1", "synchronous_commit=on",
	}
	url := pgtest.Empty(t)
	if diff := cmp.Diff(want, query(t, url, settings)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	s := pgtest.Of(t)
	if got := query(t, s.TCP("postgres"), "SELECT 'in'"); len(got) != 1 {
		t.Error("nobody gets in with the password")
	}
	_, err := pgx.Connect(t.Context(), strings.Replace(s.TCP("postgres"), "@", "x@", 1))
	if err == nil {
		t.Error("another password got in on loopback")
	}
}

func TestACopyIsEmptyHoweverTheOneBeforeWasLeft(t *testing.T) {
	template := &pgtest.Template{
		Prepare: func(ctx context.Context, url string) error {
			c, err := pgx.Connect(ctx, url)
			if err != nil {
				return err
			}
			defer c.Close(ctx)
			_, err = c.Exec(ctx, `CREATE TABLE parent (id TEXT PRIMARY KEY);
				CREATE TABLE child (id TEXT REFERENCES parent (id));
				CREATE TABLE kept (id TEXT); INSERT INTO kept VALUES ('kept')`)
			return err
		},
		Keep: []string{"kept"},
	}
	first := ""
	for what, change := range map[string]string{
		"rows":    "INSERT INTO parent VALUES ('a'); INSERT INTO child VALUES ('a')",
		"a table": "CREATE TABLE more (id TEXT)",
		"a trigger": `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN RETURN NULL; END'; CREATE TRIGGER t AFTER INSERT ON parent
			EXECUTE FUNCTION f()`,
		"nothing": "SELECT 1",
	} {
		t.Run(what, func(t *testing.T) {
			url := template.Copy(t)
			if first == "" {
				first = url
			}
			const all = `SELECT 'parent ' || id FROM parent UNION ALL SELECT 'child ' || id
				FROM child UNION ALL SELECT 'kept ' || id FROM kept UNION ALL
				SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL
				SELECT tablename FROM pg_tables WHERE tablename = 'more'`
			if diff := cmp.Diff([]string{"kept kept"}, query(t, url, all)); diff != "" {
				t.Errorf("what is there at first (-want +got):\n%s", diff)
			}
			exec1(t, url, change)
		})
	}
}

func TestTheServerEndsWithAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	pgtest.Of(t)                           // or skip
	dir, err := os.MkdirTemp("", "killed") // the path of a socket is short
	if err == nil {
		err = os.Chmod(dir, 0o777) // as /tmp is, for PostgreSQL's user
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+dir)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	files, globErr := fs.Glob(os.DirFS(dir), "*/data/postmaster.pid")
	if line != "started\n" || len(files) != 1 || globErr != nil {
		t.Errorf("the child says %q (%v), and there are %q (%v)", line, err, files, globErr)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	for left := 1; left > 0; time.Sleep(10 * time.Millisecond) {
		if t.Context().Err() != nil {
			t.Fatal("files are left")
		}
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		left = len(entries)
	}
}
