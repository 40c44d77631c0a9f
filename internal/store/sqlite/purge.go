package sqlite

import (
	"context"
	"errors"
	"slices"
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
	// purgeWait is how long a purge waits for readers, and those who have erased for the purge.
	purgeWait = 500 * time.Millisecond
	// purgeTry is how long every update waits for one try of it, and purgePause the time between.
	purgeTry   = 5 * time.Millisecond
	purgePause = 10 * time.Millisecond
	// purgeRetryWait is how long a retry waits, and every update for it: enough for short reads,
	// which would otherwise keep a retry from ever succeeding.
	purgeRetryWait = 50 * time.Millisecond
)

func (w *writer) schedulePurge(after time.Duration) {
	w.purgeDue = true
	w.purgeTimer.Reset(after)
}

// purgeWhenDue is what the timer is for.
func (w *writer) purgeWhenDue(ctx context.Context) {
	switch {
	case !w.purgeBegan.IsZero():
		w.purge(ctx)
	case w.conn.pendingErase > 0:
		w.purgeWanted = true
		w.empty(ctx)
	}
}

// lastPurge is that of a writer that ends.
func (w *writer) lastPurge(ctx context.Context) {
	for w.purge(ctx); !w.purgeBegan.IsZero(); w.purge(ctx) {
		time.Sleep(purgePause)
	}
}

// empty goes on with emptying the log. While there is much of it, that is done beside the writer.
func (w *writer) empty(ctx context.Context) {
	c := w.copier
	if c.running {
		return // its end goes on
	}
	frames, copied, err := w.wal.length(ctx, w.conn)
	switch {
	case err != nil || frames-copied <= w.wal.few || c.steps >= maxSteps:
		w.finish(ctx)
	case frames-w.wal.looked > w.wal.few:
		c.begin(func() error { return c.look(frames) })
	case c.pin(ctx, w.conn, w.lock) != nil:
		w.finish(ctx)
	default:
		c.begin(func() error { return c.copy(ctx) })
	}
}

// copied continues after a step beside the writer. If it failed, the writer does the rest.
func (w *writer) copied(ctx context.Context, err error) {
	if err != nil {
		w.finish(ctx)
	} else {
		w.empty(ctx)
	}
}

// finishNow waits for the step that runs, and empties what is left of the log.
func (w *writer) finishNow(ctx context.Context) {
	w.copier.wait()
	w.finish(ctx)
}

// finish empties what is left of the log.
func (w *writer) finish(ctx context.Context) {
	if w.purgeWanted || w.conn.pendingErase > 0 && w.retryDelay == 0 {
		w.purge(ctx)
		return
	}
	w.copier.steps = 0
	_ = w.wal.restart(ctx, w.conn, w.lock)
}

// purge removes erased data from the files, or schedules another try. The first tries, for as long
// as purgeWait, are short and many, and those who have erased wait for them. While a snapshot keeps
// it from that for longer, the tries become rarer.
func (w *writer) purge(ctx context.Context) {
	w.copier.wait()
	w.copier.steps, w.purgeWanted = 0, false
	w.purges.Add(1)
	wait, now := purgeRetryWait, time.Now()
	if w.retryDelay == 0 {
		if wait = purgeTry; w.purgeBegan.IsZero() {
			w.purgeBegan = now
			w.waitingPurges.Add(1)
		}
	}
	purged, err := w.wal.purge(ctx, w.conn, w.lock, wait)
	for isFull(err) && w.room.give() {
		purged, err = w.wal.purge(ctx, w.conn, w.lock, wait)
	}
	switch {
	case err == nil && purged:
		w.conn.pendingErase, w.retryDelay = 0, 0
	case err == nil && w.retryDelay == 0 && now.Sub(w.purgeBegan) < purgeWait:
		w.schedulePurge(purgePause)
		return
	default:
		w.conn.pendingErase = store.EraseSoon
		w.retryDelay = min(max(2*w.retryDelay, purgeDelay), maxPurgeDelay)
		w.schedulePurge(w.retryDelay)
	}
	w.purgeBegan = time.Time{}
	for _, j := range w.waiting {
		close(j.done)
	}
	w.waiting = nil
}

// purge copies the log into the database and truncates it. It is false if a reader goes on for
// longer than wait.
func (w *wal) purge(
	ctx context.Context, c *conn, lock *writeLock, wait time.Duration,
) (purged bool, err error) {
	release := lock.acquire()
	defer release()
	if err := w.zeroGaps(ctx, c); err != nil {
		return false, err
	}
	c.db.SetBusyTimeout(wait)
	defer c.db.SetBusyTimeout(busyTimeout)
	busy, err := w.copy(ctx, c, "TRUNCATE")
	return !busy, err
}

// zeroGaps overwrites the gaps of all pages in the log, in a transaction of its own.
func (w *wal) zeroGaps(ctx context.Context, c *conn) error {
	c.txError = nil // it was of an earlier transaction
	frames, _, err := w.length(ctx, c)
	if err == nil {
		err = w.look(frames)
	}
	if err != nil || len(w.gaps) == 0 {
		return err
	}
	if err := c.run(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	slices.Sort(w.gaps)
	for _, number := range slices.Compact(w.gaps) {
		if err := c.zeroGap(ctx, number); err != nil {
			return errors.Join(err, c.run(ctx, "ROLLBACK"))
		}
	}
	if err := c.run(ctx, "COMMIT"); err != nil {
		return errors.Join(err, c.run(ctx, "ROLLBACK"))
	}
	w.gaps = nil
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
