package vault_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx", for what goes past the vault
	_ "modernc.org/sqlite"

	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// onPostgres makes the fixtures use databases of a PostgreSQL server.
var onPostgres bool

// A database is what a fixture has its rows in.
type database interface {
	vault.Store
	Close() error
}

// newDatabase makes an empty database: a file in dir, or one of the PostgreSQL server. It returns
// its path or its URL, too.
func newDatabase(ctx context.Context, dir string) (db database, name string, err error) {
	if !onPostgres {
		name = filepath.Join(dir, "keysake.db")
		db, err := sqlite.Open(ctx, name)
		return db, name, err
	}
	name, giveBack, err := pgtest.Migrated.Take(ctx)
	if err != nil {
		return nil, "", err
	}
	opened, err := postgres.Open(ctx, postgres.Options{URL: name})
	if err != nil {
		return nil, "", errors.Join(err, giveBack())
	}
	return lent{opened, sync.OnceValue(func() error {
		return errors.Join(opened.Close(), giveBack())
	})}, name, nil
}

// lent is a database that other tests use when this one has closed it.
type lent struct {
	*postgres.DB

	end func() error
}

func (l lent) Close() error { return l.end() }

// another opens the database as another process does.
func (p *fixture) another() database {
	p.t.Helper()
	if onPostgres {
		return must(postgres.OpenShared(p.t.Context(), postgres.Options{URL: p.file}))
	}
	return must(sqlite.OpenShared(p.t.Context(), p.file))
}

// connect goes to the database behind the vault's back. It may break what rows refer to.
func (p *fixture) connect() *sql.DB {
	p.t.Helper()
	if onPostgres {
		return must(sql.Open("pgx", p.file+"&options=-c%20session_replication_role%3Dreplica"))
	}
	dsn := url.URL{
		Scheme: "file", Opaque: p.file,
		RawQuery: "_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)",
	}
	return must(sql.Open("sqlite", dsn.String()))
}

// besides makes a place that is no part of the vault's database, where tests keep rows: tables that
// are named copied.something.
func (p *fixture) besides(query string, args ...any) {
	p.t.Helper()
	if !onPostgres {
		p.sql("ATTACH '"+p.file+".copy' AS copied; "+query, args...)
		return
	}
	p.sql("CREATE SCHEMA IF NOT EXISTS copied")
	p.sql(query, args...)
}

// translation has what the tests' own SQL, which is SQLite's, is in PostgreSQL.
var translation = strings.NewReplacer(
	"?1", "$1",
	"zeroblob(32)", "decode(repeat('00', 32), 'hex')",
	"randomblob(16)", "uuid_send(gen_random_uuid())",
	"randomblob(length(sealed_value))", randomBytes("length(sealed_value)"),
	"randomblob(length(sealed_mask))", randomBytes("length(sealed_mask)"),
	"group_concat(hex(stamp), ' ')", "string_agg(upper(encode(stamp, 'hex')), ' ')",
)

func randomBytes(n string) string {
	return "substring(decode(repeat(md5(random()::text), 99), 'hex') FROM 1 FOR " + n + ")"
}

// translated returns a test's own SQL for the database that there is.
func translated(query string) string {
	if !onPostgres {
		return query
	}
	query = translation.Replace(query)
	var b strings.Builder
	parameters := 0
	for part := range strings.SplitAfterSeq(query, "?") {
		text, found := strings.CutSuffix(part, "?")
		b.WriteString(text)
		if found {
			parameters++
			b.WriteString(placeholder(parameters))
		}
	}
	return b.String()
}

func placeholder(n int) string { return "$" + string(rune('0'+n)) }
