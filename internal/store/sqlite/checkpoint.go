package sqlite

import (
	"context"
	"os"

	"github.com/keysake/keysake/internal/store"
)

const (
	// maxFrames is how many pages the write-ahead log has when it is copied into the database.
	maxFrames = 4000
	// fewFrames is how many of them are copied while the writer waits.
	fewFrames = maxFrames / 10
	// logPart bounds the log on a small file system, as a part of its size.
	logPart  = 16
	pageSize = 4096
)

// A wal is the write-ahead log of a database.
type wal struct {
	database, path string

	begin   int // frames before a checkpoint
	few     int // frames that are copied while the writer waits
	most    int // pages that the database may grow by at a checkpoint
	written int // frames since the last checkpoint
	checked int // frames when growth was found out
	growth  int // pages that the database would have grown by

	header [walHeader]byte // of the log when it was last looked at
	looked int             // frames that have been looked at, for data in gaps
	gaps   []int64         // pages that have some, and are to be overwritten
}

// newWAL returns the log of a database. It stays so short that the database can take it in with
// half of the reserve. On a small file system the writer waits until it is copied.
func newWAL(path string, r *room) *wal {
	w := &wal{
		database: path, path: path + "-wal", begin: maxFrames, few: fewFrames, most: maxFrames,
	}
	const frame = pageSize + frameHeader
	if _, size := DiskSpace(r.dir); size > 0 {
		w.begin = int(min(maxFrames, size/logPart/frame))
		w.most = int(r.target() / 2 / frame)
	}
	if w.begin < maxFrames {
		w.few = maxFrames
	}
	if log, err := os.Stat(w.path); err == nil { // what a migration or a killed process left
		w.written = int(log.Size() / frame)
	}
	return w
}

// grow counts what a transaction has written. It reports whether the log is so long that it is to
// be copied, and whether the writer must wait for that.
func (w *wal) grow(ctx context.Context, c *conn) (long, tooLong bool) {
	c.txError = nil // it was of an earlier transaction
	w.written += c.db.PagesWritten()
	if w.written-w.checked >= w.most/2 {
		w.checked = w.written
		w.growth = w.pagesToCome(ctx, c)
	}
	long = w.written >= w.begin || w.growth >= w.most/2
	return long, w.written >= 2*w.begin || w.growth >= w.most
}

// pagesToCome returns how many pages the database has in the log alone.
func (w *wal) pagesToCome(ctx context.Context, c *conn) int {
	var pages int64
	count := func(r store.Row) error { pages = r.Int(0); return nil }
	err := c.Query(ctx, "PRAGMA page_count", count)
	file, failed := os.Stat(w.database)
	if err != nil || failed != nil {
		return w.written
	}
	return int(pages - file.Size()/pageSize)
}

// length returns how many frames the log has, and how many of them the database has.
func (w *wal) length(ctx context.Context, c *conn) (frames, copied int, err error) {
	_, frames, copied, err = c.checkpoint(ctx, "NOOP")
	return max(frames, 0), max(copied, 0), err
}

// restart copies the rest of the log into the database, so that it begins anew. An automatic
// checkpoint would not overwrite the gaps first.
func (w *wal) restart(ctx context.Context, c *conn, lock *writeLock) error {
	release := lock.acquire()
	defer release()
	if err := w.zeroGaps(ctx, c); err != nil {
		return err
	}
	_, err := w.copy(ctx, c, "PASSIVE")
	return err
}

// copy runs a checkpoint of a mode. busy means that it is not complete.
func (w *wal) copy(ctx context.Context, c *conn, mode string) (busy bool, err error) {
	busy, _, _, err = c.checkpoint(ctx, mode)
	if err == nil {
		_ = c.db.PagesWritten() // those of the checkpoint itself
		w.written, w.checked, w.growth = 0, 0, 0
	}
	return busy, err
}

func (c *conn) checkpoint(
	ctx context.Context, mode string,
) (busy bool, frames, copied int, err error) {
	c.txError = nil // it was of an earlier transaction
	err = c.Query(ctx, "PRAGMA wal_checkpoint("+mode+")", func(r store.Row) error {
		busy, frames, copied = r.Int(0) != 0, int(r.Int(1)), int(r.Int(2))
		return nil
	})
	return busy, frames, copied, err
}
