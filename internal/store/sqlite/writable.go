package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// How long the outcome of the last commit says whether the next will succeed.
const (
	successHolds = 10 * time.Second
	failureHolds = 2 * time.Second
)

// An outcome is that of a commit.
type outcome struct {
	at  time.Time
	err error
}

func (o *outcome) holds() bool {
	if o.err != nil {
		return time.Since(o.at) < failureHolds
	}
	return time.Since(o.at) < successHolds
}

// remember keeps whether the disk took a commit.
func (w *writer) remember(err error) {
	if err == nil || vault.KindOf(err) == vault.Unavailable {
		w.last.Store(&outcome{time.Now(), err})
	}
}

// WriteFault returns why updates fail, in words for anyone who asks; it is empty if they succeed.
// If there was no commit lately it makes one, of a page as it is: any number of callers cost one in
// some seconds. A database that was read-only when it was opened is not expected to be written.
func (d *DB) WriteFault(ctx context.Context) string {
	if d.readOnly {
		return ""
	}
	if d.writer.room.low() {
		return errLow.Detail
	}
	if last := d.writer.last.Load(); last == nil || !last.holds() {
		if err := d.probe(ctx); err != nil {
			return detail(err)
		}
	}
	if last := d.writer.last.Load(); last != nil {
		return detail(last.err)
	}
	return ""
}

// probe writes a page, unless another caller does, and waits until that has ended or ctx is done.
func (d *DB) probe(ctx context.Context) error {
	if !d.probing.CompareAndSwap(false, true) {
		return nil
	}
	done := make(chan error, 1)
	go func() {
		defer d.probing.Store(false)
		ctx := context.WithoutCancel(ctx) // for all who ask
		err := d.writer.do(ctx, func(c *conn) error { return c.rewritePage(ctx) })
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errSlow
	}
}

// rewritePage writes the first page as it is.
func (c *conn) rewritePage(ctx context.Context) error {
	var page []byte
	err := c.Query(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = 1",
		func(r store.Row) error { page = r.Bytes(0); return nil })
	if err != nil {
		return err
	}
	return c.run(ctx, "UPDATE sqlite_dbpage SET data = $1 WHERE pgno = 1", page)
}

var errSlow = &vault.Error{
	Kind: vault.Unavailable, Detail: "The database takes too long to write: try again later",
}

// detail returns the words of an error that are for everyone.
func detail(err error) string {
	if err == nil {
		return ""
	}
	if known, ok := errors.AsType[*vault.Error](err); ok {
		return known.Detail
	}
	return "The database cannot be written"
}

// KeepFree refuses updates that are not reserved while fewer bytes are free on the disk, or less
// than a tenth of a small one.
func (d *DB) KeepFree(bytes uint64) { d.writer.room.minFree.Store(bytes) }

// Space returns how many bytes are free on the disk, and how many must be for updates that are not
// reserved. Both are 0 if that is unknown.
func (d *DB) Space() (free, floor uint64) { return d.writer.room.space() }
