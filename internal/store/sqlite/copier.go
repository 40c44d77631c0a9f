package sqlite

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/store"
)

// A copier copies the log into the database while the writer goes on. What the writer appends then
// may have data in gaps, and must not be copied before it was looked at: a snapshot that is open
// all the time, as of the moment when all gaps were overwritten, keeps SQLite from copying more.
//
// It opens its connections when they are first needed.
type copier struct {
	open func() (*conn, error)
	wal  *wal

	snapshot *conn
	conn     *conn

	steps   int        // that were begun since the log was last emptied
	running bool       // a step
	done    chan error // of each step
	ended   func()     // is called after that
}

// maxSteps bounds the steps, in case the writer is faster. It waits for the rest then.
const maxSteps = 8

func newCopier(w *wal, open func() (*conn, error)) *copier {
	return &copier{wal: w, open: open, done: make(chan error, 1)}
}

// begin runs a step in the background. Until its outcome is received, only the step uses the wal
// and the copier.
func (c *copier) begin(step func() error) {
	c.running = true
	c.steps++
	go func() {
		c.done <- step()
		c.ended()
	}()
}

// look looks for data in gaps, in the first frames of the log.
func (c *copier) look(frames int) error {
	if err := c.connect(); err != nil {
		return err
	}
	return c.wal.look(frames)
}

func (c *copier) connect() (err error) {
	for _, to := range []**conn{&c.snapshot, &c.conn} {
		if *to == nil && err == nil {
			*to, err = c.open()
		}
	}
	return err
}

// pin overwrites the gaps, and opens the snapshot. No other process writes in between.
func (c *copier) pin(ctx context.Context, writer *conn, lock *writeLock) error {
	if err := c.connect(); err != nil {
		return err
	}
	release := lock.acquire()
	defer release()
	if err := c.wal.zeroGaps(ctx, writer); err != nil {
		return err
	}
	if err := c.snapshot.begin(ctx, "BEGIN"); err != nil {
		return err
	}
	const first = "SELECT 1 FROM sqlite_schema LIMIT 1" // from here on it has its snapshot
	err := c.snapshot.Query(ctx, first, func(store.Row) error { return nil })
	if err != nil {
		return errors.Join(err, c.snapshot.rollback(ctx))
	}
	return nil
}

// copy copies what the snapshot has, and ends it. The file is synced here, so that the writer need
// not wait for that.
func (c *copier) copy(ctx context.Context) error {
	_, _, _, err := c.conn.checkpoint(ctx, "PASSIVE")
	if err == nil {
		err = classify(c.conn.db.Sync())
	}
	return errors.Join(err, c.snapshot.rollback(ctx))
}

// wait ends the step that runs.
func (c *copier) wait() {
	if c.running {
		c.running = false
		<-c.done //nolint:errcheck // after an error the writer does all of it
	}
}

func (c *copier) close() error {
	var errs []error
	for _, open := range []*conn{c.snapshot, c.conn} {
		if open != nil {
			errs = append(errs, open.close())
		}
	}
	return errors.Join(errs...)
}
