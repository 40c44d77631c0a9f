package sqlite

import (
	"context"

	"github.com/keysake/keysake/internal/store"
)

const (
	// maxFrames is how many pages the write-ahead log has when it is copied into the database.
	maxFrames = 4000
	pageSize  = 4096
)

// A wal is the write-ahead log of a database. The writer empties it.
type wal struct {
	path         string
	most         int // frames before a checkpoint
	checkpointed int // frames at the last checkpoint
}

// newWAL returns the log of a database. On a small file system it stays so short that the database
// can take it in with half of the reserve.
func newWAL(path string, r *room) *wal {
	w := &wal{path: path + "-wal", most: maxFrames}
	if target := r.target(); target > 0 {
		w.most = min(maxFrames, int(target/2/(pageSize+frameHeader)))
	}
	return w
}

// walFrames runs a checkpoint of a mode, and returns how many pages are in the log. It is -1 when
// another connection was running a checkpoint.
func walFrames(ctx context.Context, c *conn, mode string) (n int, busy bool, err error) {
	err = c.Query(ctx, "PRAGMA wal_checkpoint("+mode+")", func(r store.Row) error {
		busy, n = r.Int(0) != 0, int(r.Int(1))
		return nil
	})
	return n, busy, err
}

// checkpoint copies a long log into the database, so that the log begins anew. An automatic
// checkpoint would not overwrite the gaps first.
func (w *wal) checkpoint(ctx context.Context, c *conn, lock *writeLock) error {
	c.txError = nil // it was of an earlier transaction
	n, _, err := walFrames(ctx, c, "NOOP")
	if err != nil || n >= w.checkpointed && n-w.checkpointed < w.most {
		return err
	}
	if n < w.checkpointed { // it has begun anew
		w.checkpointed = 0
		if n < w.most {
			return nil
		}
	}
	release := lock.acquire()
	defer release()
	if err := w.zeroGaps(ctx, c); err != nil {
		return err
	}
	w.checkpointed, _, err = walFrames(ctx, c, "PASSIVE")
	return err
}
