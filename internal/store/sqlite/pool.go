package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A pool has the connections that read.
type pool struct {
	db     *sql.DB
	conns  chan *conn
	closed chan struct{} // closed when Close begins
}

// newPool opens connections of db, which belongs to the pool from now on.
func newPool(ctx context.Context, db *sql.DB, size int) (*pool, error) {
	p := &pool{db: db, conns: make(chan *conn, size), closed: make(chan struct{})}
	for range size {
		c, err := newConn(ctx, db)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		p.conns <- c
	}
	return p, nil
}

// View implements [vault.Store].
func (p *pool) View(ctx context.Context, fn func(vault.Reader) error) error {
	return p.view(ctx, func(c *conn) error { return fn(c.queries) })
}

// Read implements [vault.Store].
func (p *pool) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return p.do(ctx, func(c *conn) error {
		c.txError = nil
		return fn(c.queries)
	})
}

// Snapshot gives fn all rows as they are at one moment, while others read and write. The log grows
// as long as fn runs.
func (p *pool) Snapshot(ctx context.Context, fn func(backup.Source) error) error {
	return p.view(ctx, func(c *conn) error { return fn(store.NewSource(c)) })
}

// Ping reports whether the database can be read.
func (p *pool) Ping(ctx context.Context) error {
	return p.Read(ctx, func(r vault.Reader) error {
		_, err := r.RootKeys(ctx)
		return err
	})
}

// view runs fn on a snapshot.
func (p *pool) view(ctx context.Context, fn func(*conn) error) error {
	return p.do(ctx, func(c *conn) (err error) {
		if err := c.begin(ctx, "BEGIN"); err != nil {
			return err
		}
		defer func() {
			if end := c.rollback(ctx); err == nil { // nothing was written
				err = end
			}
		}()
		return fn(c)
	})
}

// do runs fn on a connection of its own.
func (p *pool) do(ctx context.Context, fn func(*conn) error) error {
	select {
	case <-p.closed:
		return errClosed
	default:
	}
	select {
	case c := <-p.conns:
		defer func() { p.conns <- c }()
		return fn(c)
	case <-p.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end waits for the reads and closes the database. database/sql would not close a connection that
// is in use, so each is returned first: closing the last one moves the log into the database, which
// is one file then.
func (p *pool) end() error {
	var errs []error
	for range cap(p.conns) {
		errs = append(errs, (<-p.conns).close())
	}
	return errors.Join(append(errs, p.db.Close())...)
}
