package sqlite

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite/engine"
	"github.com/keysake/keysake/internal/vault"
)

// A conn is one connection with the statements that were prepared on it. One goroutine uses it at a
// time.
type conn struct {
	db      *engine.Conn
	queries *store.Queries

	// pendingErase is the most urgent erasure since the last purge; zero if there is none.
	pendingErase store.Erasure

	// txError is why the database may have ended the transaction, as it does when the disk is full.
	// Nothing runs after that until the next begin: it would be a transaction of its own, and stay.
	txError error

	wrote  bool // a row, since a job began
	erased store.Erasure

	news    *news       // of the writer
	changed []uuid.UUID // whose ledgers this transaction has saved

	schemaChecked bool
	schemaChanges int64 // SQLite's count of changes when the schema was checked
}

var _ store.Conn = (*conn)(nil)

// newConn opens a connection and applies settings to it.
func newConn(uri string, settings []string) (*conn, error) {
	db, err := engine.Open(uri)
	if err != nil {
		return nil, classify(err)
	}
	for _, setting := range settings {
		if err := db.Run("PRAGMA " + setting); err != nil {
			return nil, errors.Join(classify(err), db.Close())
		}
	}
	c := &conn{db: db}
	c.queries = store.New(c, store.Dialect{}) // one writer at a time: nothing to lock
	return c, nil
}

func (c *conn) close() error { return classify(c.db.Close()) }

func (c *conn) begin(ctx context.Context, text string) error {
	c.txError, c.changed = nil, c.changed[:0]
	return c.run(ctx, text)
}

// rollback ends the transaction, whatever state it is in.
func (c *conn) rollback(ctx context.Context) error {
	c.txError = nil
	return c.run(ctx, "ROLLBACK")
}

// run is Exec for a statement whose count says nothing.
func (c *conn) run(ctx context.Context, text string, args ...any) error {
	_, err := c.change(ctx, text, args...)
	return err
}

// change returns how many rows a statement has changed.
func (c *conn) change(ctx context.Context, text string, args ...any) (int64, error) {
	err := c.Query(ctx, text, func(store.Row) error { return nil }, args...)
	if err != nil {
		return 0, err
	}
	n := c.db.Changes()
	c.wrote = c.wrote || n > 0
	return n, nil
}

// Exec implements [store.Conn].
func (c *conn) Exec(ctx context.Context, rows int64, text string, args ...any) error {
	n, err := c.change(ctx, text, args...)
	if err == nil && n < rows {
		err = vault.ErrNotFound
	}
	return err
}

// Erase implements [store.Conn]. The writer purges the files after the commit.
func (c *conn) Erase(
	ctx context.Context, when store.Erasure, rows int64, text string, args ...any,
) error {
	n, err := c.change(ctx, text, args...)
	if n > 0 {
		c.erased = max(c.erased, when)
		c.pendingErase = max(c.pendingErase, when)
	}
	if err == nil && n < rows {
		err = vault.ErrNotFound
	}
	return err
}

// Changed implements [store.Conn]. The writer publishes it.
func (c *conn) Changed(owner uuid.UUID) { c.changed = append(c.changed, owner) }

// Tell implements [store.Conn]. What is changed is told anyway.
func (c *conn) Tell(context.Context, uuid.UUID) error { return nil }

// Moment implements [store.Conn]. Only the writer numbers commits, so it knows what comes next.
func (c *conn) Moment() uint64 { return c.news.Moment() + uint64(len(c.changed)) }

// Query implements [store.Conn].
func (c *conn) Query(
	_ context.Context, text string, each func(store.Row) error, args ...any,
) error {
	if c.txError != nil {
		return c.txError
	}
	stmt, err := c.db.Prepare(text)
	if err != nil {
		return c.failed(err)
	}
	defer stmt.Reset()
	if err := stmt.Bind(args); err != nil {
		return c.failed(err)
	}
	for {
		more, err := stmt.Step()
		if err != nil {
			return c.failed(err)
		}
		if !more {
			return nil
		}
		if err := each(stmt); err != nil {
			return err
		}
	}
}

// failed classifies an error of the engine, and keeps it if it may have ended the transaction.
func (c *conn) failed(err error) error {
	err = classify(err)
	if vault.KindOf(err) == vault.Unavailable {
		c.txError = err
	}
	return err
}
