package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/store"
)

// A writer is the one goroutine that writes. It gathers the updates that wait into one transaction,
// each in a savepoint of its own: many callers share one sync of the disk, a failing update does
// not affect the others, and every caller is answered after the commit.
type writer struct {
	conn *conn
	lock *writeLock
	wal  *wal

	jobs chan *job
	done chan struct{} // closed when the goroutine has ended

	purgeTimer *time.Timer
	purgeDue   bool          // the timer runs
	retryDelay time.Duration // after which the last purge is retried; 0 if it succeeded

	mu      sync.RWMutex // held for reading while a job is queued
	stopped bool

	updates       atomic.Uint64
	commits       atomic.Uint64
	purges        atomic.Uint64
	waitingPurges atomic.Uint64 // purges that wait long for readers
}

// startWriter also schedules a purge of what a killed process left.
func startWriter(c *conn, w *wal, lock *writeLock) *writer {
	c.pendingErase = store.EraseSoon
	writer := &writer{
		conn:       c,
		lock:       lock,
		wal:        w,
		jobs:       make(chan *job, maxBatch),
		done:       make(chan struct{}),
		purgeTimer: time.NewTimer(purgeDelay),
		purgeDue:   true,
	}
	go writer.loop()
	return writer
}

// do queues an update and waits for its end. After the writer has begun it, its outcome is awaited
// even if ctx ends: the caller learns the truth.
func (w *writer) do(ctx context.Context, fn func(*conn) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := w.submit(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(queued, canceled) {
			return ctx.Err()
		}
		<-j.done
		return j.err
	}
}

func (w *writer) submit(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return errClosed
	}
	select {
	case w.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// stop refuses new updates and waits for those that are queued.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) loop() {
	defer close(w.done)
	ctx := context.Background()
	batch := make([]*job, 0, maxBatch)
	for {
		select {
		case first, open := <-w.jobs:
			if !open {
				w.purgeTimer.Stop()
				w.purge(ctx)
				return
			}
			batch = drain(append(batch[:0], first), w.jobs)
			w.write(ctx, batch)
			clear(batch)
		case <-w.purgeTimer.C:
			w.purgeDue = false
			if w.conn.pendingErase > 0 {
				w.purge(ctx)
			}
		}
	}
}

// write runs a batch in one transaction and answers every job in it.
func (w *writer) write(ctx context.Context, batch []*job) {
	release, err := w.lock.acquireForBatch()
	ran := 0
	if err == nil {
		ran, err = w.conn.runAll(ctx, batch)
	}
	if err == nil && ran > 0 {
		err = w.conn.run(ctx, "COMMIT")
	}
	if err == nil && ran > 0 {
		w.commits.Add(1)
		w.updates.Add(uint64(ran))
	} else if end := w.conn.rollback(ctx); err == nil {
		err = end // after an error this only makes sure that the transaction has ended
	}
	release()
	if err == nil {
		w.afterCommit(ctx)
	}
	for _, j := range batch {
		if j.err == nil {
			j.err = err
		}
		close(j.done)
	}
}

// afterCommit does for the files what the commit makes necessary. The commit has succeeded whatever
// becomes of that, and the next one tries again.
func (w *writer) afterCommit(ctx context.Context) {
	if w.conn.pendingErase == store.EraseNow && w.retryDelay == 0 {
		w.purge(ctx)
		return
	}
	if w.conn.pendingErase > 0 && !w.purgeDue {
		w.schedulePurge(purgeDelay)
	}
	_ = w.wal.checkpoint(ctx, w.conn, w.lock)
}
