package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A conn is one connection with the statements that were prepared on it. One goroutine uses it at a
// time.
type conn struct {
	sql     *sql.Conn
	stmts   map[string]*sql.Stmt
	queries *store.Queries

	// pendingErase is the most urgent erasure since the last purge; zero if there is none.
	pendingErase store.Erasure

	// txError is why the database may have ended the transaction, as it does when the disk is full.
	// Nothing runs after that until the next begin: it would be a transaction of its own, and stay.
	txError error

	wrote bool // a row, since a job began

	schemaChecked bool
	schemaChanges int64 // SQLite's count of changes when the schema was checked
}

var _ store.Conn = (*conn)(nil)

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	raw, err := db.Conn(ctx)
	if err != nil {
		return nil, classify(err)
	}
	c := &conn{sql: raw, stmts: map[string]*sql.Stmt{}}
	c.queries = store.New(c, store.Dialect{}) // one writer at a time: nothing to lock
	return c, nil
}

// close returns the connection. A statement that stayed open would keep the database open.
func (c *conn) close() error {
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, c.sql.Close())...)
}

func (c *conn) begin(ctx context.Context, text string) error {
	c.txError = nil
	return c.run(ctx, text)
}

// rollback ends the transaction, whatever state it is in.
func (c *conn) rollback(ctx context.Context) error {
	c.txError = nil
	return c.run(ctx, "ROLLBACK")
}

// run is Exec for a statement whose count says nothing.
func (c *conn) run(ctx context.Context, text string, args ...any) error {
	_, err := c.Exec(ctx, text, args...)
	return err
}

// Exec implements [store.Conn].
func (c *conn) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	ctx = context.WithoutCancel(ctx)
	stmt, err := c.stmt(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, c.failed(err)
	}
	n, err := result.RowsAffected()
	c.wrote = c.wrote || n > 0
	return n, err
}

// Erase implements [store.Conn]. The writer purges the files after the commit.
func (c *conn) Erase(
	ctx context.Context, when store.Erasure, text string, args ...any,
) (int64, error) {
	n, err := c.Exec(ctx, text, args...)
	if n > 0 {
		c.pendingErase = max(c.pendingErase, when)
	}
	return n, err
}

// Query implements [store.Conn].
func (c *conn) Query(
	ctx context.Context, text string, each func(store.Row) error, args ...any,
) (err error) {
	ctx = context.WithoutCancel(ctx)
	stmt, err := c.stmt(ctx, text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return c.failed(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	r := newRow(len(columns))
	for rows.Next() {
		if err := rows.Scan(r.into...); err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return c.failed(err)
	}
	return nil
}

// stmt returns the statement for a text, which it prepares at the first use.
func (c *conn) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if c.txError != nil {
		return nil, c.txError
	}
	if stmt, found := c.stmts[text]; found {
		return stmt, nil
	}
	stmt, err := c.sql.PrepareContext(ctx, text)
	if err != nil {
		return nil, c.failed(err)
	}
	c.stmts[text] = stmt
	return stmt, nil
}

// pagesWritten returns how many pages the connection has written since it was last asked.
func (c *conn) pagesWritten() (n int, err error) {
	err = c.sql.Raw(func(driverConn any) (err error) {
		n, _, err = driverConn.(sqlite.DBStatus).Status(sqlite.DBStatusCacheWrite, true)
		return err
	})
	return n, err
}

// failed classifies a driver's error, and keeps it if it may have ended the transaction.
func (c *conn) failed(err error) error {
	err = classify(err)
	if vault.KindOf(err) == vault.Unavailable {
		c.txError = err
	}
	return err
}
