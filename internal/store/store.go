// Package store keeps the vault's data in a database: all the SQL there is.
//
// One set of queries, written by hand, serves every database. Placeholders are $1, $2, …, bound by
// number; times are integer microseconds, flags 0 or 1, ids the text of a UUID. What differs
// between databases is in a dialect.
package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/keysake/keysake/internal/vault"
)

// A DB is an open database. It implements [vault.Store] and is safe for concurrent use.
type DB struct {
	db      *sql.DB
	dialect dialect
	readers chan *session
	writer  *writer
	closed  chan struct{} // closed when Close begins
	close   func() error
}

var _ vault.Store = (*DB)(nil)

// A dialect is everything in which databases differ.
type dialect struct {
	beginRead  query
	beginWrite query
	classify   func(error) error // driver error → vault.Error
	turns      *turnstile        // nil where the database itself lets writers take turns
	journal    *journal          // nil where the database sees to its own
}

// open takes a writer's and some readers' connections from db, which belongs to the DB from now on.
func open(ctx context.Context, db *sql.DB, d dialect, readers int) (*DB, error) {
	store := &DB{
		db:      db,
		dialect: d,
		readers: make(chan *session, readers),
		closed:  make(chan struct{}),
	}
	store.close = sync.OnceValue(store.end)
	for range readers {
		s, err := newSession(ctx, db, d)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		store.readers <- s
	}
	s, err := newSession(ctx, db, d)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store.writer = startWriter(s)
	return store, nil
}

// errClosed answers what comes after Close.
var errClosed = &vault.Error{Kind: vault.Unavailable, Detail: "The database is closed"}

// View implements [vault.Store].
func (d *DB) View(ctx context.Context, fn func(vault.Reader) error) error {
	select {
	case <-d.closed:
		return errClosed
	default:
	}
	select {
	case s := <-d.readers:
		defer func() { d.readers <- s }()
		return s.view(ctx, fn)
	case <-d.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Update implements [vault.Store].
func (d *DB) Update(
	ctx context.Context,
	fn func(vault.Tx) error,
) error {
	return d.writer.do(ctx, fn)
}

// Ping tells whether the database can be read.
func (d *DB) Ping(ctx context.Context) error {
	return d.View(ctx, func(r vault.Reader) error {
		_, err := r.PrimaryRootKey(ctx)
		if errors.Is(err, vault.ErrNotFound) {
			return nil // a database without rows can be read, too
		}
		return err
	})
}

// Stats returns how many updates were made durable since the start, and in how many commits.
func (d *DB) Stats() (updates, commits uint64) {
	return d.writer.updates.Load(), d.writer.commits.Load()
}

// Close waits for the transactions that were begun, and closes the database. What comes after it is
// [vault.Unavailable].
func (d *DB) Close() error { return d.close() }

// end does what Close says. The pool would leave a connection alone that somebody holds, so each is
// given back to it first: the last one to be closed moves the journal's contents into the database,
// which is one file then.
func (d *DB) end() error {
	close(d.closed)
	d.writer.stop()
	errs := []error{d.writer.session.close()}
	for range cap(d.readers) {
		errs = append(errs, (<-d.readers).close())
	}
	return errors.Join(append(errs, d.db.Close())...)
}
