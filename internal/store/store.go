// Package store keeps the vault's data in a database: all the SQL there is.
//
// One set of queries, written by hand, serves every database. Placeholders are $1, $2, …, bound by number; times are integer
// microseconds, flags 0 or 1, ids the text of a UUID. What differs between databases is in a dialect.
package store

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/keysake/keysake/internal/vault"
)

// A DB is an open database. It implements [vault.Store] and is safe for concurrent use.
type DB struct {
	db      *sql.DB
	dialect dialect
	readers chan *session
	writer  *writer
	closed  atomic.Bool
}

var _ vault.Store = (*DB)(nil)

// A dialect is everything in which databases differ.
type dialect struct {
	beginRead  query
	beginWrite query
	classify   func(error) error // driver error → vault.Error
}

// open takes a writer's and some readers' connections from db, which belongs to the DB from now on.
func open(ctx context.Context, db *sql.DB, d dialect, readers int) (*DB, error) {
	store := &DB{db: db, dialect: d, readers: make(chan *session, readers)}
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
	if d.closed.Load() {
		return errClosed
	}
	select {
	case s := <-d.readers:
		defer func() { d.readers <- s }()
		return s.view(ctx, fn)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Update implements [vault.Store].
func (d *DB) Update(ctx context.Context, fn func(vault.Tx) error) error { return d.writer.do(ctx, fn) }

// Ping tells whether the database can be read.
func (d *DB) Ping(ctx context.Context) error {
	return d.View(ctx, func(r vault.Reader) error {
		_, err := r.RootKey(ctx)
		return err
	})
}

// Stats returns how many updates were made durable since the start, and in how many commits.
func (d *DB) Stats() (updates, commits uint64) {
	return d.writer.updates.Load(), d.writer.commits.Load()
}

// Close waits for the transactions that were begun, and closes the database. What comes after it is [vault.Unavailable].
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.writer.stop()
	for range cap(d.readers) {
		<-d.readers
	}
	return d.db.Close()
}
