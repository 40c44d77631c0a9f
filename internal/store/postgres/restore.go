package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// restoring is the version of the schema while a restore fills the database: no server, of whatever
// version, opens it until it is complete.
const restoring = math.MaxInt64

var errRestoring = errors.New("a restore into it was interrupted, or is running: " +
	"run keysake restore again, which begins anew")

// A Restoring is a database that a restore fills.
type Restoring struct {
	*DB

	unlock func() error
	loaded bool
}

// OpenForRestore connects to a database that has no rows, brings its schema up to date, and marks
// it, so that nobody else opens it before [Restoring.Finish]. What an interrupted restore has left
// is removed. Conflict: the database is not empty.
func OpenForRestore(ctx context.Context, o Options) (*Restoring, error) {
	d, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &Restoring{DB: d}
	if err := r.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), r.Close())
	}
	return r, nil
}

func (r *Restoring) begin(ctx context.Context) error {
	unlock, locked, err := r.tryLock(ctx, restoreLock)
	if err != nil {
		return err
	}
	if !locked {
		return errors.New("another restore into it is running: wait until it has ended")
	}
	r.unlock = unlock
	err = r.migrate(ctx, false)
	if errors.Is(err, errRestoring) {
		if err = r.clear(ctx); err == nil {
			err = r.migrate(ctx, false)
		}
	}
	if err == nil {
		err = r.CheckSchema(ctx)
	}
	if err != nil {
		return err
	}
	return r.update(ctx, updating(), func(c *conn) error {
		tables, err := store.NewSource(c).Tables(ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if t.Rows > 0 {
				return &vault.Error{Kind: vault.Conflict, Detail: "The database is not empty"}
			}
		}
		return c.Exec(ctx, 1, insertVersion, int64(restoring))
	})
}

// Load puts all rows of src into the database, in one transaction.
func (r *Restoring) Load(ctx context.Context, src backup.Source) error {
	err := r.DB.Load(ctx, src)
	// After a conflict, nothing was loaded; after any other error, it may have been.
	r.loaded = vault.KindOf(err) != vault.Conflict
	return err
}

// Finish makes the database one that servers open.
func (r *Restoring) Finish(ctx context.Context) error {
	return r.update(ctx, updating(), func(c *conn) error { return unmark(ctx, c) })
}

// Abandon leaves the database as empty as it was.
func (r *Restoring) Abandon(ctx context.Context) error {
	if r.loaded {
		return r.clear(ctx)
	}
	return r.Finish(ctx)
}

// clear deletes all rows, and the mark of a restore.
func (r *Restoring) clear(ctx context.Context) error {
	return r.update(ctx, updating().long(), func(c *conn) error {
		tables, err := store.NewSource(c).Tables(ctx)
		if err != nil {
			return err
		}
		names := make([]string, len(tables))
		for n, t := range tables {
			names[n] = t.Name
		}
		if err := c.Exec(ctx, 0, "TRUNCATE "+strings.Join(names, ", ")); err != nil {
			return err
		}
		return unmark(ctx, c)
	})
}

func unmark(ctx context.Context, c *conn) error {
	const sql = "DELETE FROM " + migrationsTable + " WHERE version_id = $1"
	return c.Exec(ctx, 1, sql, int64(restoring))
}

// Close ends the restore's lock, and closes the connections.
func (r *Restoring) Close() error {
	var err error
	if r.unlock != nil {
		err = r.unlock()
	}
	return errors.Join(err, r.DB.Close())
}
