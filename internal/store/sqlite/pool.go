package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A pool has the connections that read. The one that was used last is used next: it may have in its
// cache what the others read again after a commit.
type pool struct {
	turns  chan struct{} // one for each connection that is idle
	closed chan struct{} // closed when Close begins

	mu    sync.Mutex
	idle  []*conn
	taken uint64 // how often one was
}

// newPool opens connections.
func newPool(size int, open func() (*conn, error)) (*pool, error) {
	p := &pool{turns: make(chan struct{}, size), closed: make(chan struct{})}
	for range size {
		c, err := open()
		if err != nil {
			return nil, errors.Join(err, p.closeSome(len(p.turns)))
		}
		p.put(c)
	}
	return p, nil
}

// put makes a connection idle.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	p.turns <- struct{}{}
}

// take returns an idle connection to the holder of a turn.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	c := p.idle[last]
	p.idle = p.idle[:last]
	p.taken++
	return c
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

// Size returns how many bytes the database has, without its log.
func (p *pool) Size(ctx context.Context) (size int64, err error) {
	err = p.do(ctx, func(c *conn) error {
		c.txError = nil
		const sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
		return c.Query(ctx, sql, func(r store.Row) error {
			size = r.Int(0)
			return nil
		})
	})
	return size, err
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
		return store.ErrClosed
	default:
	}
	select {
	case <-p.turns:
	default: // a Done that is not asked for need not be made
		select {
		case <-p.turns:
		case <-p.closed:
			return store.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c := p.take()
	defer p.put(c)
	return fn(c)
}

// end waits for the reads and closes the connections. Closing the last one of the database moves
// the log into it, which is one file then.
func (p *pool) end() error { return p.closeSome(cap(p.turns)) }

func (p *pool) closeSome(n int) error {
	var errs []error
	for range n {
		<-p.turns
		errs = append(errs, p.take().close())
	}
	return errors.Join(errs...)
}
