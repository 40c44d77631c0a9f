// Package pgtest gives tests databases of a real PostgreSQL. The first test of a process that asks
// starts a server: in a temporary folder, for an unprivileged user, on a socket in that folder and
// on loopback, with the settings that make commits durable. The server ends with the process, also
// when that is killed.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds how long a server may take until it answers.
const startTimeout = time.Minute

// ErrMissing is the error of a machine without PostgreSQL's programs.
var ErrMissing = errors.New("PostgreSQL's server is not installed: make postgres installs it")

// The server of this process.
var server = sync.OnceValues(func() (*Server, error) { return Start(os.TempDir()) })

// Of returns the server of this process. Without PostgreSQL's programs the test is skipped, and
// fails where CI is set.
func Of(tb testing.TB) *Server {
	tb.Helper()
	s, err := server()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Empty returns the URL of a database without tables, which is the test's own.
func Empty(tb testing.TB) string {
	tb.Helper()
	s := Of(tb)
	name := s.newName()
	if err := s.run(context.Background(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	return s.URL(name)
}

// A Template is a database with tables and without rows, of which tests get copies.
type Template struct {
	// Prepare makes the tables in the database of a URL.
	Prepare func(ctx context.Context, url string) error
	// Keep are tables whose rows stay when a copy is used again.
	Keep []string

	once  sync.Once
	name  string
	shape string // of its tables
	err   error

	mu   sync.Mutex
	free []string
}

// Copy returns the URL of a copy, which is the test's own until it ends.
func (p *Template) Copy(tb testing.TB) string {
	tb.Helper()
	Of(tb) // or skip
	url, giveBack, err := p.Take(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := giveBack(); err != nil {
			tb.Errorf("empty the database: %v", err)
		}
	})
	return url
}

// Take returns the URL of a copy until it is given back. Then the rows are deleted and the copy is
// used again: creating a database costs more than most tests.
func (p *Template) Take(ctx context.Context) (url string, giveBack func() error, err error) {
	s, err := server()
	if err != nil {
		return "", nil, err
	}
	name, err := p.take(ctx, s)
	if err != nil {
		return "", nil, err
	}
	return s.URL(name), func() error { return p.giveBack(context.WithoutCancel(ctx), s, name) }, nil
}

func (p *Template) take(ctx context.Context, s *Server) (string, error) {
	p.once.Do(func() { p.err = p.create(context.WithoutCancel(ctx), s) })
	if p.err != nil {
		return "", p.err
	}
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		name := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return name, nil
	}
	p.mu.Unlock()
	name := s.newName()
	return name, s.run(ctx, "CREATE DATABASE "+name+" TEMPLATE "+p.name)
}

func (p *Template) create(ctx context.Context, s *Server) error {
	p.name = s.newName()
	if err := s.run(ctx, "CREATE DATABASE "+p.name); err != nil {
		return err
	}
	if err := p.Prepare(ctx, s.URL(p.name)); err != nil {
		return err
	}
	return s.connected(ctx, p.name, func(c *pgx.Conn) (err error) {
		p.shape, err = shapeOf(ctx, c)
		return err
	})
}

// giveBack deletes the rows of a copy, unless its tables were changed: then it is dropped.
func (p *Template) giveBack(ctx context.Context, s *Server, name string) error {
	same := false
	err := s.connected(ctx, name, func(c *pgx.Conn) error {
		shape, err := shapeOf(ctx, c)
		if same = shape == p.shape; err != nil || !same {
			return err
		}
		return deleteRows(ctx, c, p.Keep)
	})
	if err != nil || !same {
		drop := s.run(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		return errors.Join(err, drop)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, name)
	return nil
}

// newName returns the name of a new database.
func (s *Server) newName() string { return fmt.Sprintf("test%d", databases.Add(1)) }

var databases atomic.Int64

// URL names a database on the server's socket.
func (s *Server) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(owner), Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.dir}, "port": {fmt.Sprint(s.port)}}.Encode()
	return u.String()
}

// TCP names a database on loopback, with the password that the server asks for there.
func (s *Server) TCP(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(owner, s.password),
		Host: fmt.Sprintf("127.0.0.1:%d", s.port), Path: "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// run executes a statement about databases.
func (s *Server) run(ctx context.Context, statements string) error {
	return s.connected(ctx, "postgres", func(c *pgx.Conn) error {
		_, err := c.PgConn().Exec(ctx, statements).ReadAll()
		return err
	})
}

func (s *Server) connected(ctx context.Context, database string, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.log())
	}
	return errors.Join(do(c), c.Close(ctx))
}

// shapeOf returns a text that differs if two databases differ in a table, a column, a constraint or
// a trigger.
func shapeOf(ctx context.Context, c *pgx.Conn) (shape string, err error) {
	const lines = `SELECT coalesce(string_agg(line, ';' ORDER BY line), '') FROM (
		SELECT concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull) AS line
		FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND NOT coalesce(a.attisdropped, false)
		UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'
		UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT conname FROM pg_constraint
			WHERE connamespace = 'public'::regnamespace) AS lines`
	return shape, c.QueryRow(ctx, lines).Scan(&shape)
}

// deleteRows deletes all rows but those of some tables, after the connections have ended that a
// test left: a pooler would lend one that is still to end.
func deleteRows(ctx context.Context, c *pgx.Conn, keep []string) error {
	const others = `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`
	const tables = `SELECT coalesce(string_agg(quote_ident(relname), ', '), '') FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> ALL ($1)`
	if _, err := c.Exec(ctx, others); err != nil {
		return err
	}
	var names string
	if err := c.QueryRow(ctx, tables, keep).Scan(&names); err != nil || names == "" {
		return err
	}
	var deletions strings.Builder
	deletions.WriteString("SET session_replication_role = replica;") // no order of tables
	for name := range strings.SplitSeq(names, ", ") {
		deletions.WriteString("DELETE FROM " + name + ";")
	}
	_, err := c.PgConn().Exec(ctx, deletions.String()).ReadAll()
	return err
}
