// Package postgres keeps the vault's data in a PostgreSQL database, which any number of servers may
// share.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A DB is a pool of connections to a database. It implements [vault.Store] and is safe for
// concurrent use.
type DB struct {
	*news

	pool    *pgxpool.Pool
	limits  string // that each transaction sets, where a pooler is between here and the database
	updates atomic.Uint64
	health  health
}

var _ vault.Store = (*DB)(nil)

// Open connects to a database, and brings its schema up to date.
func Open(ctx context.Context, o Options) (*DB, error) { return open(ctx, o, false) }

// OpenShared connects to a database and never migrates: an older schema is an error.
func OpenShared(ctx context.Context, o Options) (*DB, error) { return open(ctx, o, true) }

func open(ctx context.Context, o Options, shared bool) (*DB, error) {
	d, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	err = d.migrate(ctx, shared)
	if err == nil {
		err = d.CheckSchema(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), d.Close())
	}
	return d, nil
}

// connect connects to a database whose commits are durable, whatever its schema.
func connect(ctx context.Context, o Options) (*DB, error) {
	primary := &timeline{}
	config, err := o.config(primary)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	limits := ""
	if o.Pooler {
		limits = takeLimits(config.ConnConfig.RuntimeParams)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", notConnected(err))
	}
	primary.pool.Store(pool)
	listening := pool.Config().ConnConfig
	if o.Pooler {
		listening = nil
	}
	d := &DB{pool: pool, limits: limits, news: startNews(listening, primary)}
	if err := d.checkDurable(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), d.Close())
	}
	return d, nil
}

var errNotDurable = errors.New("synchronous_commit is off, so that a crash would lose what was " +
	"answered: turn it on for this database and role")

// checkDurable refuses a database that answers a commit before it is on the disk.
func (d *DB) checkDurable(ctx context.Context) error {
	return d.with(ctx, reading(), func(c *conn) (bool, error) {
		const sql = "SELECT current_setting('synchronous_commit')"
		return false, c.Query(ctx, sql, func(r store.Row) error {
			if r.Text(0) == "off" {
				return errNotDurable
			}
			return nil
		})
	})
}

// View implements [vault.Store].
func (d *DB) View(ctx context.Context, fn func(vault.Reader) error) error {
	return d.view(ctx, viewing(), func(c *conn) error { return fn(c.queries) })
}

// Read implements [vault.Store].
func (d *DB) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return d.with(ctx, reading(), func(c *conn) (bool, error) {
		err := fn(c.queries)
		return mayRetry(err), err
	})
}

// Update implements [vault.Store]. fn runs again if the transaction collided with another one, or
// the connection was lost before the commit was sent.
func (d *DB) Update(ctx context.Context, fn func(vault.Tx) error) error {
	return d.update(ctx, updating(), func(c *conn) error { return fn(c.queries) })
}

// UpdateReserved implements [vault.Store]. PostgreSQL keeps no room for it.
func (d *DB) UpdateReserved(ctx context.Context, fn func(vault.Tx) error) error {
	return d.Update(ctx, fn)
}

// Load puts all rows of src into an empty database, in one transaction. Conflict: the database is
// not empty, or src has two rows with the same key.
func (d *DB) Load(ctx context.Context, src backup.Source) error {
	return d.update(ctx, updating().long(), func(c *conn) error {
		return errors.Join(store.Load(ctx, c, src), c.Tell(ctx, uuid.Nil))
	})
}

// Snapshot gives fn all rows as they are at one moment, while others read and write. Rows that are
// deleted meanwhile stay in the database until fn returns.
func (d *DB) Snapshot(ctx context.Context, fn func(backup.Source) error) error {
	return d.view(ctx, viewing().long(), func(c *conn) error { return fn(store.NewSource(c)) })
}

// Unchanged implements [vault.Store]. Any server may have changed anything, so it never says that:
// the number of a ledger is read from the database each time.
func (d *DB) Unchanged(uuid.UUID, uint64) bool { return false }

// Ping reports whether the database can be read.
func (d *DB) Ping(ctx context.Context) error {
	return d.Read(ctx, func(r vault.Reader) error {
		_, err := r.RootKeys(ctx)
		return err
	})
}

// Stats returns how many updates were made durable since the start, and in how many commits.
func (d *DB) Stats() (updates, commits uint64) {
	updates = d.updates.Load()
	return updates, updates
}

// Close waits for the transactions that have begun, and closes the connections. Calls after it get
// Unavailable.
func (d *DB) Close() error {
	d.pool.Close()
	d.close()
	return nil
}

func (d *DB) view(ctx context.Context, m mode, fn func(*conn) error) error {
	return d.with(ctx, m, func(c *conn) (bool, error) {
		defer c.rollback() // nothing was written
		err := fn(c)
		return mayRetry(c.txError), err
	})
}

func (d *DB) update(ctx context.Context, m mode, fn func(*conn) error) error {
	err := d.with(ctx, m, func(c *conn) (bool, error) {
		defer func() { d.published(c.told) }() // even if it failed: no harm is done
		again, err := c.run(fn)
		if c.late && !again && !m.once {
			// fn has gone on after a write that failed later: now it gets the error at its place.
			c.start(true)
			again, err = c.run(fn)
		}
		return again, err
	})
	if err == nil {
		d.updates.Add(1)
	}
	return err
}

// How often what may succeed when it runs again does, and how long it waits before that at most.
const (
	maxTries = 5
	maxWait  = 10 * time.Millisecond // doubled each time
)

// with gives fn a connection of its own, on which its first statement begins a transaction if the
// mode has one. fn returns whether it is to run again.
func (d *DB) with(
	ctx context.Context, m mode, fn func(*conn) (again bool, err error),
) error {
	for try := 1; ; try++ {
		again, err := d.once(ctx, m, fn)
		if err == nil || !again || try == maxTries || ctx.Err() != nil {
			return err
		}
		time.Sleep(rand.N(maxWait << try)) //nolint:gosec // nobody gains by guessing it
	}
}

func (d *DB) once(
	ctx context.Context, m mode, fn func(*conn) (bool, error),
) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	pooled, err := d.pool.Acquire(ctx)
	if err != nil {
		return false, cmp.Or(ctx.Err(), notConnected(err))
	}
	defer pooled.Release()
	if d.limits != "" {
		m = m.limited(d.limits)
	}
	c := &conn{pg: pooled.Conn(), ctx: ctx, mode: m, moment: d.Moment}
	c.start(false)
	c.queries = store.New(c, store.Dialect{ForUpdate: forUpdate, SkipLocked: skipLocked})
	return fn(c)
}

// forUpdate locks the row of a ledger, and lets rows of other libraries refer to it.
const forUpdate = "FOR NO KEY UPDATE"

// skipLocked lets many servers tidy up at once.
const skipLocked = "FOR UPDATE SKIP LOCKED"
