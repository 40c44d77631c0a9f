package sqlite

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/keysake/keysake/internal/store"
)

// maxBatch bounds the updates of one commit, and so how long the first of them waits for the last.
const maxBatch = 128

// A job is one update that waits.
type job struct {
	ctx      context.Context //nolint:containedctx // the caller's, for as long as the call lasts
	fn       func(*conn) error
	reserved bool // may use the reserve
	state    atomic.Int32
	err      error
	erased   store.Erasure // by it
	done     chan struct{}
}

// The states of a job. A queued one is either run by the writer or canceled by its caller.
const (
	queued int32 = iota
	running
	canceled
)

// begin reports whether the writer may run the job: its caller has not canceled it. It may have run
// before, and been undone.
func (j *job) begin() bool {
	return j.state.CompareAndSwap(queued, running) || j.state.Load() == running
}

// run runs the job. A panic ends neither the writer nor the other updates.
func (j *job) run(c *conn) error {
	return store.RecoverPanic(func() error { return j.fn(c) })
}

// drain returns the jobs that are queued, and those of callers that can run now: it lets them run
// first. It waits for none: the next batch fills while this one is written.
func drain(jobs <-chan *job) []*job {
	for queued := -1; len(jobs) > queued; {
		queued = len(jobs)
		runtime.Gosched()
	}
	batch := make([]*job, 0, len(jobs))
	for len(batch) < maxBatch {
		select {
		case j := <-jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// write runs the jobs that are queued in one transaction and answers every one. On a full disk it
// runs those that are reserved alone, with the reserve.
func (w *writer) write(ctx context.Context) {
	batch := drain(w.jobs)
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
	if err == nil && ran > 0 {
		w.due = w.afterCommit(ctx, low)
	}
	if low {
		w.lookAfter(ctx)
	}
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
	for turn := 1; isBusy(err) && turn < w.lock.turns(); turn++ {
		release() // the server waits for the next turn, though it did not for this one any more
		release = w.lock.acquireForBatch()
		ran, err = w.conn.runAll(ctx, batch, false)
	}
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

// errUndo means that a job failed after it had written, and that all jobs must run again.
var errUndo = errors.New("sqlite: what a failed update has written must be undone")

// runAll runs the jobs of a batch in a transaction that it begins, and returns how many succeeded.
// The error is the transaction's, and so every job's. Savepoints undo what a failed job has
// written. Few jobs fail after they have written, so the first run is without: errUndo asks for a
// second one with them.
func (c *conn) runAll(
	ctx context.Context, batch []*job, savepoints bool,
) (succeeded int, err error) {
	if err := c.begin(ctx, "BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	c.news.look(ctx, c)
	if err := c.checkSchema(ctx); err != nil {
		return 0, err
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue // the caller is gone, but may not have canceled it yet
		}
		if !j.begin() {
			continue
		}
		c.wrote, c.erased = false, 0
		if savepoints {
			err = c.runSaved(ctx, j)
		} else if j.err = j.run(c); j.err != nil && c.wrote && len(batch) > 1 {
			err = errUndo
		}
		j.erased = c.erased
		if c.txError != nil {
			err = c.txError
		}
		if err != nil {
			return succeeded, err
		}
		if j.err == nil {
			succeeded++
		}
	}
	return succeeded, nil
}

// runSaved runs a job in a savepoint.
func (c *conn) runSaved(ctx context.Context, j *job) error {
	if err := c.run(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = j.run(c); j.err != nil {
		if err := c.run(ctx, "ROLLBACK TO job"); err != nil {
			return err
		}
	}
	return c.run(ctx, "RELEASE job")
}
