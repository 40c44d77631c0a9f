package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A conn is a connection for one transaction, or for reads without one. One goroutine uses it at a
// time.
type conn struct {
	pg      *pgx.Conn
	queries *store.Queries
	ctx     context.Context //nolint:containedctx // the caller's, which ends no statement by itself
	mode    mode

	waiting []statement // what begins the transaction, and writes: they go with the next query
	begun   bool
	atOnce  bool // a write does not wait: its error is known where it is called

	// late is whether a write that waited has failed in a way that a use case may act on.
	late bool

	told   []uuid.UUID // whose access was changed
	moment func() uint64

	// txError is why the database has ended the transaction: nothing runs after that.
	txError error
}

// A statement that waits, and how many rows it must change.
type statement struct {
	sql  string
	args []any
	rows int64
}

// maxWaiting bounds what waits: a restore writes millions of rows.
const maxWaiting = 256

var _ store.Conn = (*conn)(nil)

// start makes the next statement begin a transaction, if the mode has one.
func (c *conn) start(atOnce bool) {
	c.begun, c.atOnce, c.late, c.txError = false, atOnce, false, nil
	c.waiting = c.waiting[:0]
	for _, begin := range c.mode.begin {
		c.waiting = append(c.waiting, statement{sql: begin})
	}
}

// limited is for a statement: it ends in its own time, and soon after the caller's.
func (c *conn) limited() (context.Context, context.CancelFunc) {
	timeout := c.mode.timeout
	if deadline, found := c.ctx.Deadline(); found {
		timeout = min(timeout, time.Until(deadline)+lateness)
	}
	return context.WithTimeout(context.WithoutCancel(c.ctx), timeout)
}

func (c *conn) inTx() bool { return len(c.mode.begin) > 0 }

// Query implements [store.Conn].
func (c *conn) Query(
	_ context.Context, sql string, each func(store.Row) error, args ...any,
) error {
	if !storable(args) {
		return c.txError // no row has such a text
	}
	return c.send(&statement{sql: sql, args: args}, each)
}

// Exec implements [store.Conn].
func (c *conn) Exec(_ context.Context, rows int64, sql string, args ...any) error {
	if c.txError != nil {
		return c.txError
	}
	if !storable(args) {
		return errNotText
	}
	c.waiting = append(c.waiting, statement{sql, slices.Clone(args), rows})
	if c.atOnce || len(c.waiting) >= maxWaiting {
		return c.send(nil, nil)
	}
	return nil
}

// Erase implements [store.Conn]. PostgreSQL keeps what was deleted until it vacuums the table, and
// in its log and archives for as long as it keeps those: no statement changes that.
func (c *conn) Erase(
	ctx context.Context, _ store.Erasure, rows int64, sql string, args ...any,
) error {
	return c.Exec(ctx, rows, sql, args...)
}

// Changed implements [store.Conn]. Who reads asks for the ledger's number: see [DB.Unchanged].
func (c *conn) Changed(uuid.UUID) {}

// Tell implements [store.Conn]. Of the transactions that notify, PostgreSQL lets only one at a time
// commit: so only those do that take access.
func (c *conn) Tell(ctx context.Context, owner uuid.UUID) error {
	payload := ""
	if owner != uuid.Nil {
		payload = owner.String()
	}
	c.told = append(c.told, owner)
	return c.Exec(ctx, 0, "SELECT pg_notify('"+channel+"', $1)", payload)
}

// Moment implements [store.Conn]. What takes access after this transaction is told after it, with
// a higher number.
func (c *conn) Moment() uint64 { return c.moment() }

// send sends what waits, and a query after it if there is one, in one turn on the network.
func (c *conn) send(query *statement, each func(store.Row) error) error {
	if c.txError != nil {
		return c.txError
	}
	ctx, cancel := c.limited()
	defer cancel()
	if len(c.waiting) == 0 {
		rows, _ := c.pg.Query(ctx, query.sql, query.args...) // the rows have its error
		return c.read(rows, each)
	}
	batch := &pgx.Batch{}
	for _, s := range c.waiting {
		batch.Queue(s.sql, s.args...)
	}
	if query != nil {
		batch.Queue(query.sql, query.args...)
	}
	sent := c.waiting
	c.waiting, c.begun = c.waiting[:0], true
	results := c.pg.SendBatch(ctx, batch)
	missing := false
	for _, s := range sent {
		done, err := results.Exec()
		if err != nil {
			_ = results.Close() // says the same
			return c.failed(err)
		}
		missing = missing || done.RowsAffected() < s.rows
	}
	var err error
	if query != nil && !missing {
		rows, _ := results.Query()
		err = c.read(rows, each)
	}
	if closed := results.Close(); closed != nil && c.txError == nil {
		return c.failed(closed)
	}
	if missing && !c.atOnce {
		c.late, c.txError = true, vault.ErrNotFound
	}
	if missing {
		err = vault.ErrNotFound
	}
	return err
}

// read calls each for the rows, and returns the error of the query, or else of each.
func (c *conn) read(rows pgx.Rows, each func(store.Row) error) error {
	err := forEach(rows, each)
	if failed := rows.Err(); failed != nil {
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

// failed classifies an error. In a transaction PostgreSQL runs nothing more after one.
func (c *conn) failed(err error) error {
	closed := c.pg.IsClosed()
	if closed {
		err = lost(err)
	} else {
		err = classify(err)
	}
	if c.inTx() || closed {
		c.txError = err
	}
	c.late = !c.atOnce && vault.KindOf(err) == vault.Conflict
	return err
}

// rollback ends the transaction. If it cannot, the pool closes the connection, which ends it, too.
func (c *conn) rollback() {
	if !c.begun || c.pg.IsClosed() {
		return // it never began, or has ended
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), lateness)
	defer cancel()
	_, _ = c.pg.Exec(ctx, "ROLLBACK")
}

// run runs fn in a transaction of its own.
func (c *conn) run(fn func(*conn) error) (again bool, err error) {
	err = store.RecoverPanic(func() error { return fn(c) })
	if err == nil {
		err = c.txError // after which fn went on
	}
	if begins := len(c.mode.begin); err == nil && len(c.waiting) > 0 &&
		(c.begun || len(c.waiting) > begins) {
		err = c.send(nil, nil)
	}
	if err != nil {
		c.rollback()
		return mayRetry(c.txError), err
	}
	return c.commit()
}

// commit ends the transaction. After an error that is not [mayRetry]'s nobody knows whether the
// database has it.
func (c *conn) commit() (again bool, err error) {
	if !c.begun {
		return false, nil // nothing was asked
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), c.mode.timeout)
	defer cancel()
	clearWarning(c.pg.PgConn())
	tag, err := commit(ctx, c.pg.PgConn())
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

// commit commits, however long the standbys take. A timeout would end the wait, and show to all
// what the standbys do not have.
func commit(ctx context.Context, c *pgconn.PgConn) (pgconn.CommandTag, error) {
	results, err := c.Exec(ctx, "SET LOCAL statement_timeout = 0; COMMIT").ReadAll()
	if err != nil || len(results) == 0 {
		return pgconn.CommandTag{}, err
	}
	return results[len(results)-1].CommandTag, nil
}
