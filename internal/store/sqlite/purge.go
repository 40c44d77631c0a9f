package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/store"
)

// Data that was erased must be in no file. SQLite overwrites what it frees (secure_delete), but
// keeps two kinds of copies:
//
//   - The write-ahead log has the pages as they were. A purge truncates it.
//   - When SQLite moves rows between pages, it leaves copies in the gap between the page's pointers
//     and its rows. zeroGaps overwrites them before a page goes from the log into the database. The
//     log names the changed pages, so automatic checkpoints are off.

const (
	// purgeDelay is the delay before replaced values are purged, and before a failed purge is
	// retried for the first time.
	purgeDelay = time.Second
	// maxPurgeDelay bounds the delay of retries, which doubles each time.
	maxPurgeDelay = 30 * time.Second
	// purgeWait is how long a purge waits for readers, and every update for the purge.
	purgeWait = 500 * time.Millisecond
	// purgeRetryWait is the same for a retry: enough for short reads, which would otherwise keep a
	// retry from ever succeeding.
	purgeRetryWait = 50 * time.Millisecond
)

func (w *writer) schedulePurge(after time.Duration) {
	w.purgeDue = true
	w.purgeTimer.Reset(after)
}

// purge removes erased data from the files, or schedules a retry. While a snapshot keeps it from
// that, only the first try waits long for readers, and retries become rarer, since each reads the
// whole log.
func (w *writer) purge(ctx context.Context) {
	wait := purgeRetryWait
	w.purges.Add(1)
	if w.retryDelay == 0 {
		wait = purgeWait
		w.waitingPurges.Add(1)
	}
	purged, err := w.wal.purge(ctx, w.conn, w.lock, wait)
	for isFull(err) && w.room.give() {
		purged, err = w.wal.purge(ctx, w.conn, w.lock, wait)
	}
	if err != nil || !purged {
		w.conn.pendingErase = store.EraseSoon
		w.retryDelay = min(max(2*w.retryDelay, purgeDelay), maxPurgeDelay)
		w.schedulePurge(w.retryDelay)
		return
	}
	w.conn.pendingErase, w.retryDelay = 0, 0
}

// purge copies the log into the database and truncates it. It is false if a reader goes on for
// longer than wait.
func (w *wal) purge(
	ctx context.Context, c *conn, lock *writeLock, wait time.Duration,
) (purged bool, err error) {
	release := lock.acquire()
	defer release()
	c.txError = nil // it was of an earlier transaction
	if err := w.zeroGaps(ctx, c); err != nil {
		return false, err
	}
	c.db.SetBusyTimeout(wait)
	defer c.db.SetBusyTimeout(busyTimeout)
	busy, err := w.copy(ctx, c, "TRUNCATE")
	return !busy, err
}

// zeroGaps overwrites the gaps of the pages in the log, in a transaction of its own.
func (w *wal) zeroGaps(ctx context.Context, c *conn) error {
	pages, err := w.pagesWithData()
	if err != nil || len(pages) == 0 {
		return err
	}
	if err := c.run(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, number := range pages {
		if err := c.zeroGap(ctx, number); err != nil {
			return errors.Join(err, c.run(ctx, "ROLLBACK"))
		}
	}
	if err := c.run(ctx, "COMMIT"); err != nil {
		return errors.Join(err, c.run(ctx, "ROLLBACK"))
	}
	return nil
}

// zeroGap overwrites the gap of a page as it is now, through SQLite's own cache of pages.
func (c *conn) zeroGap(ctx context.Context, number int64) error {
	var page []byte
	err := c.Query(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = $1",
		func(r store.Row) error { page = r.Bytes(0); return nil }, number)
	if err != nil {
		return err
	}
	unused := gap(page)
	if !hasData(unused) {
		return nil
	}
	clear(unused)
	return c.run(ctx, "UPDATE sqlite_dbpage SET data = $1 WHERE pgno = $2", page, number)
}
