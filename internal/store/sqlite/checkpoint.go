package sqlite

import (
	"context"
	"os"

	"github.com/keysake/keysake/internal/store"
)

const (
	// maxFrames is how many pages the write-ahead log has when it is copied into the database.
	maxFrames = 4000
	pageSize  = 4096
)

// A wal is the write-ahead log of a database. The writer empties it.
type wal struct {
	path    string
	most    int // frames before a checkpoint
	written int // frames since the last checkpoint
}

// newWAL returns the log of a database. On a small file system it stays so short that the database
// can take it in with half of the reserve.
func newWAL(path string, r *room) *wal {
	w := &wal{path: path + "-wal", most: maxFrames}
	if target := r.target(); target > 0 {
		w.most = min(maxFrames, int(target/2/(pageSize+frameHeader)))
	}
	if log, err := os.Stat(w.path); err == nil { // what a migration or a killed process left
		w.written = int(log.Size() / (pageSize + frameHeader))
	}
	return w
}

// checkpoint copies the log into the database, if it has become long, so that it begins anew. An
// automatic checkpoint would not overwrite the gaps first.
func (w *wal) checkpoint(ctx context.Context, c *conn, lock *writeLock) error {
	c.txError = nil // it was of an earlier transaction
	if w.written += c.db.PagesWritten(); w.written < w.most {
		return nil
	}
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
	err = c.Query(ctx, "PRAGMA wal_checkpoint("+mode+")", func(r store.Row) error {
		busy = r.Int(0) != 0
		return nil
	})
	if err == nil {
		_ = c.db.PagesWritten() // those of the checkpoint itself
		w.written = 0
	}
	return busy, err
}
