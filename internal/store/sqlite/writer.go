package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/store"
)

// refillInterval is how often the disk space is looked at when nothing is written.
const refillInterval = 5 * time.Second

// A writer is the one goroutine that writes. It gathers the updates that wait into one transaction:
// many callers share one sync of the disk, a failing update does not affect the others, and every
// caller is answered after the commit.
type writer struct {
	conn   *conn
	lock   *writeLock
	wal    *wal
	copier *copier
	room   *room

	jobs chan *job
	done chan struct{} // closed when the goroutine has ended

	purgeTimer  *time.Timer
	purgeDue    bool          // the timer runs
	purgeWanted bool          // once the log is short
	purgeBegan  time.Time     // when a purge was first tried that waits for readers
	retryDelay  time.Duration // after which the last purge is retried; 0 if it succeeded
	waiting     []*job        // that are answered after the purge
	low         bool          // the disk was almost full when watchRoom looked

	mu      sync.RWMutex // held for reading while a job is queued
	stopped bool
	refusal error // of an update after that

	last          atomic.Pointer[outcome]
	updates       atomic.Uint64
	commits       atomic.Uint64
	purges        atomic.Uint64
	waitingPurges atomic.Uint64 // purges that wait long for readers
}

// start also schedules a purge of what a killed process left.
func (w *writer) start() *writer {
	w.conn.pendingErase = store.EraseSoon
	w.jobs, w.done = make(chan *job, maxBatch), make(chan struct{})
	w.purgeTimer, w.purgeDue = time.NewTimer(purgeDelay), true
	w.refusal = store.ErrClosed
	go w.loop()
	return w
}

// do queues an update and waits for its end.
func (w *writer) do(ctx context.Context, fn func(*conn) error) error {
	return w.submit(&job{ctx: ctx, fn: fn})
}

// submit queues a job and waits for its end. After the writer has begun it, its outcome is awaited
// even if the caller's context ends: the caller learns the truth.
func (w *writer) submit(j *job) error {
	j.done = make(chan struct{})
	if err := w.queue(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done():
		if j.state.CompareAndSwap(queued, canceled) {
			return j.ctx.Err()
		}
		<-j.done
		return j.err
	}
}

func (w *writer) queue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return w.refusal
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
	w.room.takeBack()
	w.room.refill()
	refill := time.NewTicker(refillInterval)
	defer refill.Stop()
	batch := make([]*job, 0, maxBatch)
	for {
		select {
		case first, open := <-w.jobs:
			if !open {
				w.purgeTimer.Stop()
				w.lastPurge(ctx)
				return
			}
			batch = drain(append(batch[:0], first), w.jobs)
			w.write(ctx, batch)
			clear(batch)
		case <-w.purgeTimer.C:
			w.purgeDue = false
			w.purgeWhenDue(ctx)
			w.room.takeBack()
		case err := <-w.copier.done:
			w.copier.running = false
			w.copied(ctx, err)
			w.room.takeBack()
		case <-w.conn.news.wanted:
			w.conn.txError = nil // it was of an earlier transaction
			w.conn.news.look(ctx, w.conn)
		case <-refill.C:
			w.watchRoom(ctx)
		}
	}
}

// write runs a batch in one transaction and answers every job in it. On a full disk it runs those
// that are reserved alone, with the reserve.
func (w *writer) write(ctx context.Context, batch []*job) {
	low := w.room.low()
	todo := batch
	if low {
		todo = onlyReserved(batch, errLow)
	}
	ran, err := w.commit(ctx, todo)
	if isFull(err) {
		low = true
		todo = onlyReserved(todo, err)
		for isFull(err) && len(todo) > 0 && w.room.give() {
			ran, err = w.commit(ctx, todo)
		}
	}
	committed := err == nil && ran > 0
	if committed && !low {
		w.answer(batch)
		batch = nil
	}
	if committed {
		w.afterCommit(ctx, low)
	}
	w.room.takeBack()
	w.answer(batch)
}

// answer ends jobs, but not those that wait for the purge of what they erased.
func (w *writer) answer(batch []*job) {
	waits := w.conn.pendingErase == store.EraseNow && w.retryDelay == 0
	for _, j := range batch {
		if waits && j.err == nil && j.erased == store.EraseNow {
			w.waiting = append(w.waiting, j)
		} else {
			close(j.done)
		}
	}
}

// onlyReserved returns the reserved jobs of a batch, and gives the others their error.
func onlyReserved(batch []*job, err error) (reserved []*job) {
	for _, j := range batch {
		if j.reserved {
			reserved = append(reserved, j)
		} else if j.err == nil {
			j.err = err
		}
	}
	return reserved
}

// commit runs jobs in one transaction, and returns how many succeeded. The error is the
// transaction's, and so every job's.
func (w *writer) commit(ctx context.Context, batch []*job) (ran int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	release := w.lock.acquireForBatch()
	ran, err = w.conn.runAll(ctx, batch, false)
	if errors.Is(err, errUndo) {
		if err = w.conn.rollback(ctx); err == nil {
			ran, err = w.conn.runAll(ctx, batch, true)
		}
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
	w.conn.news.publish(w.conn.changed) // even if it failed: no harm is done
	release()
	if err != nil || ran > 0 {
		w.remember(err)
	}
	for _, j := range batch {
		if j.err == nil {
			j.err = err
		}
	}
	return ran, err
}

// afterCommit does for the files what the commit makes necessary. The commit has succeeded whatever
// becomes of that, and the next one tries again. On a disk that is almost full the log is emptied
// at once, for the next one.
func (w *writer) afterCommit(ctx context.Context, low bool) {
	long, tooLong := w.wal.grow(ctx, w.conn)
	first := w.retryDelay == 0 && w.purgeBegan.IsZero()
	switch {
	case low && first:
		w.purge(ctx)
	case tooLong:
		w.copier.wait()
		w.finish(ctx)
	case w.conn.pendingErase == store.EraseNow && first, long:
		w.empty(ctx)
	case w.conn.pendingErase > 0 && !w.purgeDue:
		w.schedulePurge(purgeDelay)
	}
}

// watchRoom makes the reserve whole again. When the disk becomes almost full, the log is emptied
// while there is still room for it in the database.
func (w *writer) watchRoom(ctx context.Context) {
	w.room.refill()
	low := w.room.low()
	if low && !w.low && w.retryDelay == 0 {
		w.purge(ctx)
	}
	w.low = low
}
