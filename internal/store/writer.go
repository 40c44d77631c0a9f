package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// maxBatch bounds the updates of one commit, and so how long the first of them waits for the last.
const maxBatch = 128

const (
	// so long after its commit a replaced value is gone from the files, and a sweep that failed is
	// first tried again
	sweepAfter = time.Second
	// a sweep that fails each time is tried again after twice the time, and after this one at the
	// latest
	sweepAtMost = 30 * time.Second
)

// A writer is the one goroutine that writes. It gathers the updates that wait into one transaction,
// each in a savepoint of its own: many callers share one sync of the disk, a failing update takes
// none of its neighbours with it, and nobody is answered before the commit.
type writer struct {
	session *session
	jobs    chan *job
	done    chan struct{} // closed when the goroutine has ended
	sweep   *time.Timer   // of the next clean-up, while one is due
	due     bool
	again   time.Duration // after it, the last sweep is tried again; 0 when it succeeded

	mu      sync.RWMutex // held for reading while a job is handed in
	stopped bool

	updates atomic.Uint64
	commits atomic.Uint64
	sweeps  atomic.Uint64
	waits   atomic.Uint64 // sweeps that would wait long for those who read
}

// A job is one update that waits.
type job struct {
	ctx   context.Context //nolint:containedctx // it is the caller's, for the length of the caller's call
	fn    func(vault.Tx) error
	state atomic.Int32
	err   error
	done  chan struct{}
}

// The states of a job. From waiting, either the writer takes it or its caller gives it up.
const (
	waiting int32 = iota
	taken
	abandoned
)

func startWriter(s *session) *writer {
	// What a process left that was killed is swept as soon as there is time.
	w := &writer{
		session: s,
		jobs:    make(chan *job, maxBatch),
		done:    make(chan struct{}),
		sweep:   time.NewTimer(sweepAfter),
		due:     true,
	}
	s.remains = replaced
	go w.loop()
	return w
}

// do hands in an update and waits for its end. Once the writer has begun it, its outcome is waited
// for whatever ctx does: the caller is told the truth.
func (w *writer) do(ctx context.Context, fn func(vault.Tx) error) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := w.submit(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
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

// stop takes no more updates and waits for those that were handed in.
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
	batch := make([]*job, 0, maxBatch)
	for {
		select {
		case first, open := <-w.jobs:
			if !open {
				w.sweep.Stop()
				w.cleanUp(context.Background())
				return
			}
			batch = gather(append(batch[:0], first), w.jobs)
			w.write(batch)
			clear(batch)
		case <-w.sweep.C:
			w.due = false
			if w.session.remains != none {
				w.cleanUp(context.Background())
			}
		}
	}
}

// gather adds the updates that wait already. It waits for none: while one batch is written, the
// next comes together by itself.
func gather(batch []*job, jobs <-chan *job) []*job {
	for len(batch) < maxBatch {
		select {
		case j, open := <-jobs:
			if !open {
				return batch
			}
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

// write runs a batch in one transaction and answers every job in it.
func (w *writer) write(batch []*job) {
	ctx := context.Background()
	leave, err := w.session.dialect.turns.enter()
	ran := 0
	if err == nil {
		ran, err = w.runAll(ctx, batch)
	}
	if err == nil && ran > 0 {
		err = w.session.run(ctx, "COMMIT")
	}
	if err == nil && ran > 0 {
		w.commits.Add(1)
		w.updates.Add(uint64(ran))
	} else if end := w.session.rollback(ctx); err == nil {
		err = end // else it had perhaps ended already, and this was to be sure
	}
	leave()
	if err == nil {
		w.tend(ctx)
	}
	for _, j := range batch {
		if j.err == nil {
			j.err = err
		}
		close(j.done)
	}
}

// tend does for the files what a commit makes necessary.
func (w *writer) tend(ctx context.Context) {
	switch {
	case w.session.dialect.journal == nil:
	case w.session.remains == destroyed && w.again == 0:
		w.cleanUp(ctx)
	default:
		if w.session.remains != none && !w.due {
			w.cleanUpSoon(sweepAfter)
		}
		// The commit has succeeded whatever becomes of this, and the next one tries again.
		_ = w.session.dialect.journal.empty(ctx, w.session)
	}
}

func (w *writer) cleanUpSoon(after time.Duration) {
	w.due = true
	w.sweep.Reset(after)
}

// cleanUp leaves nothing in the files that was destroyed or replaced, or tries again later. While a
// snapshot keeps it from that, only the first try waits long for those who read; the others come
// ever less often, since each reads the whole journal.
func (w *writer) cleanUp(ctx context.Context) {
	if w.session.dialect.journal == nil {
		return
	}
	wait := sweepGlance
	w.sweeps.Add(1)
	if w.again == 0 {
		wait = sweepWait
		w.waits.Add(1)
	}
	if swept, err := w.session.dialect.journal.sweep(ctx, w.session, wait); err != nil || !swept {
		w.session.remains = replaced
		w.again = min(max(2*w.again, sweepAfter), sweepAtMost)
		w.cleanUpSoon(w.again)
		return
	}
	w.session.remains, w.again = none, 0
}

// runAll runs the jobs of a batch and returns how many succeeded. The error is the transaction's:
// all jobs have it then.
func (w *writer) runAll(ctx context.Context, batch []*job) (ran int, err error) {
	if err := w.session.begin(ctx, w.session.dialect.beginWrite); err != nil {
		return 0, err
	}
	for _, j := range batch {
		if j.err = j.ctx.Err(); j.err != nil {
			continue // its caller is gone, and may not have said so yet
		}
		if !j.state.CompareAndSwap(waiting, taken) {
			continue // its caller is gone
		}
		if err := w.session.run(ctx, "SAVEPOINT job"); err != nil {
			return ran, err
		}
		j.err = protect(j.fn, w.session)
		if w.session.lost != nil {
			return ran, w.session.lost
		}
		if j.err == nil {
			ran++
		} else if err := w.session.run(ctx, "ROLLBACK TO job"); err != nil {
			return ran, err
		}
		if err := w.session.run(ctx, "RELEASE job"); err != nil {
			return ran, err
		}
	}
	return ran, nil
}

// errPanic is the error of an update that panicked.
var errPanic = errors.New("store: an update panicked")

// protect makes a panic of fn its error, so that it takes down neither the writer nor the
// neighbours. What was panicked with could hold a value and is not looked at, unless the runtime
// made it.
func protect(fn func(vault.Tx) error, tx vault.Tx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			what := fmt.Sprintf("%T", cause)
			if r, ok := cause.(runtime.Error); ok {
				what = r.Error()
			}
			err = fmt.Errorf("%w: %s\n%s", errPanic, what, debug.Stack())
		}
	}()
	return fn(tx)
}
