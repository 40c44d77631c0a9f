package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keysake/keysake/internal/store"
)

// A conn is a connection for one transaction, or for reads without one. One goroutine uses it at a
// time.
type conn struct {
	pg      *pgx.Conn
	queries *store.Queries
	ctx     context.Context //nolint:containedctx // the caller's, which never ends here

	timeout time.Duration // of a statement

	begin []string // what begins the transaction, until it was sent with the first statement
	inTx  bool

	// txError is why the database has ended the transaction: nothing runs after that.
	txError error
}

var _ store.Conn = (*conn)(nil)

// Query implements [store.Conn].
func (c *conn) Query(
	_ context.Context, sql string, each func(store.Row) error, args ...any,
) error {
	if c.txError != nil {
		return c.txError
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	rows, end := c.send(ctx, sql, args)
	err := forEach(rows, each)
	failed := rows.Err()
	if ended := end(); failed == nil {
		failed = ended
	}
	if failed != nil {
		return c.failed(failed)
	}
	return err
}

// forEach calls each for the rows until it returns an error, and closes them.
func forEach(rows pgx.Rows, each func(store.Row) error) error {
	defer rows.Close()
	var r *row
	for rows.Next() {
		if r == nil {
			r = &row{fields: rows.FieldDescriptions()}
		}
		r.values = rows.RawValues()
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// Exec implements [store.Conn].
func (c *conn) Exec(_ context.Context, sql string, args ...any) (int64, error) {
	if c.txError != nil {
		return 0, c.txError
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	rows, end := c.send(ctx, sql, args)
	rows.Close()
	err := rows.Err()
	if ended := end(); err == nil {
		err = ended
	}
	if err != nil {
		return 0, c.failed(err)
	}
	return rows.CommandTag().RowsAffected(), nil
}

// Erase implements [store.Conn]. PostgreSQL keeps what was deleted until it vacuums the table, and
// in its log and archives for as long as it keeps those: no statement changes that.
func (c *conn) Erase(
	ctx context.Context, _ store.Erasure, sql string, args ...any,
) (int64, error) {
	return c.Exec(ctx, sql, args...)
}

// Changed implements [store.Conn]. Nothing is kept in memory: see [DB.Unchanged].
func (c *conn) Changed(uuid.UUID) {}

// Moment implements [store.Conn].
func (c *conn) Moment() uint64 { return 0 }

// send sends a statement, with what begins the transaction before it if it is the first one: both
// take one turn on the network. end is to be called after the rows were closed.
func (c *conn) send(
	ctx context.Context, sql string, args []any,
) (rows pgx.Rows, end func() error) {
	if len(c.begin) == 0 {
		rows, _ = c.pg.Query(ctx, sql, args...) // the rows have its error
		return rows, func() error { return nil }
	}
	batch := &pgx.Batch{}
	for _, begin := range c.begin {
		batch.Queue(begin)
	}
	batch.Queue(sql, args...)
	results := c.pg.SendBatch(ctx, batch)
	before := len(c.begin)
	c.begin = nil
	for range before {
		if _, err := results.Exec(); err != nil {
			return failedRows{err: err}, results.Close
		}
	}
	rows, _ = results.Query()
	return rows, results.Close
}

// failedRows are those of a statement that was not run.
type failedRows struct {
	pgx.Rows

	err error
}

func (failedRows) Next() bool                    { return false }
func (failedRows) Close()                        {}
func (r failedRows) Err() error                  { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag { return pgconn.CommandTag{} }

// failed classifies an error. In a transaction PostgreSQL runs nothing more after one.
func (c *conn) failed(err error) error {
	closed := c.pg.IsClosed()
	if closed {
		err = lost(err)
	} else {
		err = classify(err)
	}
	if c.inTx || closed {
		c.txError = err
	}
	return err
}

// rollback ends the transaction. If it cannot, the pool closes the connection, which ends it, too.
func (c *conn) rollback() {
	if len(c.begin) > 0 || c.pg.IsClosed() {
		return // it never began, or has ended
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	_, _ = c.pg.Exec(ctx, "ROLLBACK")
}

// commit ends the transaction. After an error that is not [mayRetry]'s nobody knows whether the
// database has it.
func (c *conn) commit() (again bool, err error) {
	if len(c.begin) > 0 {
		return false, nil // nothing was asked
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	clearWarning(c.pg.PgConn())
	tag, err := c.pg.Exec(ctx, "COMMIT")
	switch {
	case err != nil && rolledBack(err):
		return true, classify(err)
	case err != nil:
		return false, unknown(classify(err))
	case tag.String() != "COMMIT":
		return false, unknown(errNotCommitted)
	case warned(c.pg.PgConn()):
		return false, unknown(errNotReplicated)
	}
	return false, nil
}
