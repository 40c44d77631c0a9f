package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/store"
)

// refillInterval is how often the disk space is looked at when nothing is written.
const refillInterval = 5 * time.Second

// A writer gathers the updates that wait into one transaction: many callers share one sync of the
// disk, a failing update does not affect the others, and every caller is answered after the commit.
//
// Only the one who has the turn writes. A caller that finds it free takes it for one transaction,
// and need not wait until another goroutine wakes up. The writer's own goroutine writes all other
// updates, and looks after the files.
type writer struct {
	turn sync.Mutex // for the fields up to due

	conn   *conn
	lock   *writeLock
	wal    *wal
	copier *copier
	room   *room

	reads func() uint64 // how many there were
	work  uint64        // updates and reads, when rest last counted them

	purgeTimer  *time.Timer
	purgeDue    bool          // the timer runs
	purgeWanted bool          // once the log is short
	purgeBegan  time.Time     // when a purge was first tried that waits for readers
	retryDelay  time.Duration // after which the last purge is retried; 0 if it succeeded
	waiting     []*job        // that are answered after the purge
	low         bool          // the disk was almost full when watchRoom looked

	// due is what the files need before the next transaction; nil if that is nothing.
	due func(context.Context)

	jobs chan *job
	wake chan struct{} // tells the goroutine that jobs wait, that due is set, or a step has ended
	end  chan struct{} // closed when no more jobs come
	done chan struct{} // closed when the goroutine has ended

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
	w.jobs, w.wake = make(chan *job, maxBatch), make(chan struct{}, 1)
	w.end, w.done = make(chan struct{}), make(chan struct{})
	w.copier.ended = w.wakeUp
	w.purgeTimer, w.purgeDue = time.NewTimer(purgeDelay), true
	w.refusal = store.ErrClosed
	w.turn.Lock() // nobody writes before the goroutine has looked at the disk
	go w.loop()
	return w
}

// do queues an update and waits for its end.
func (w *writer) do(ctx context.Context, fn func(*conn) error) error {
	return w.submit(&job{ctx: ctx, fn: fn})
}

// submit queues a job and waits for its end. Once the job has begun, or the caller writes, its
// outcome is awaited even if the caller's context ends: the caller learns the truth.
func (w *writer) submit(j *job) error {
	j.done = make(chan struct{})
	if err := w.queue(j); err != nil {
		return err
	}
	w.writeIfIdle()
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
		close(w.end)
	}
	w.mu.Unlock()
	<-w.done
}

// writeIfIdle writes one transaction, unless another has the turn, or the files come first.
func (w *writer) writeIfIdle() {
	if !w.turn.TryLock() {
		return
	}
	if w.due == nil {
		w.write(context.Background())
	}
	w.passOn()
}

// passOn ends the turn. What was queued during it is for the goroutine.
func (w *writer) passOn() {
	due := w.due != nil
	w.turn.Unlock()
	if due || len(w.jobs) > 0 {
		w.wakeUp()
	}
}

func (w *writer) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default: // it will wake up anyway
	}
}

func (w *writer) loop() {
	defer close(w.done)
	ctx := context.Background()
	w.room.takeBack()
	w.room.refill()
	w.passOn()
	refill := time.NewTicker(refillInterval)
	defer refill.Stop()
	rest := time.NewTicker(restInterval)
	defer rest.Stop()
	for {
		select {
		case <-w.wake:
			w.turn.Lock()
			w.lookAfter(ctx)
			w.writeQueued(ctx)
		case <-w.end:
			w.turn.Lock() // for good
			w.lookAfter(ctx)
			for len(w.jobs) > 0 {
				w.writeQueued(ctx)
			}
			w.purgeTimer.Stop()
			w.lastPurge(ctx)
			return
		case <-w.purgeTimer.C:
			w.turn.Lock()
			w.purgeDue = false
			w.purgeWhenDue(ctx)
			w.room.takeBack()
		case <-w.conn.news.wanted:
			w.turn.Lock()
			w.conn.txError = nil // it was of an earlier transaction
			w.conn.news.look(ctx, w.conn)
		case <-refill.C:
			w.turn.Lock()
			w.watchRoom(ctx)
		case <-rest.C:
			w.turn.Lock()
			w.rest()
		}
		w.passOn()
	}
}

// writeQueued writes one transaction, if jobs wait.
func (w *writer) writeQueued(ctx context.Context) {
	if len(w.jobs) > 0 {
		w.write(ctx)
		w.lookAfter(ctx)
	}
}

// lookAfter does for the files what is due.
func (w *writer) lookAfter(ctx context.Context) {
	select {
	case err := <-w.copier.done:
		w.copier.running = false
		w.copied(ctx, err)
	default:
	}
	if due := w.due; due != nil {
		w.due = nil
		due(ctx)
	}
	w.room.takeBack()
}

// afterCommit returns what the commit makes necessary for the files. The commit has succeeded
// whatever becomes of that, and the next one tries again. On a disk that is almost full the log is
// emptied at once, for the next one.
func (w *writer) afterCommit(ctx context.Context, low bool) func(context.Context) {
	long, tooLong := w.wal.grow(ctx, w.conn)
	first := w.retryDelay == 0 && w.purgeBegan.IsZero()
	switch {
	case low && first:
		return w.purge
	case tooLong:
		return w.finishNow
	case w.conn.pendingErase == store.EraseNow && first, long:
		return w.empty
	case w.conn.pendingErase > 0 && !w.purgeDue:
		w.schedulePurge(purgeDelay)
	}
	return nil
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
