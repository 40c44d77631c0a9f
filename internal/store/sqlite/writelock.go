package sqlite

import (
	"context"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const (
	// turnWait is how long a process waits for its turn to write.
	turnWait = time.Second
	// turnPoll is how often it looks.
	turnPoll = 2 * time.Millisecond
	// turnEvery is how often the server looks whether another process waits for its turn.
	turnEvery = 20 * time.Millisecond
	// mostTurns is how often a shared process tries, each time for [busyTimeout]: on a machine that
	// is very busy it may not get to write in its turn.
	mostTurns = 5
)

// A writeLock lets processes that write one database take turns. SQLite only retries its own lock
// after pauses, so that a server which writes all the time would win every time. So a shared
// process holds this lock while it waits and writes, and the server passes through it now and then.
//
// It is only a courtesy: a process that was stopped may hold it for ever. So after a second the
// others go on without it, until it is held anew. What guards the database is SQLite's lock.
type writeLock struct {
	file   *flock.Flock
	shared bool
	vain   time.Time // began what was waited for in vain: nobody waits for that again
	passed time.Time
}

func newWriteLock(path string, shared bool) *writeLock {
	return &writeLock{
		file: flock.New(path+".write-lock", flock.SetPermissions(0o600)), shared: shared,
	}
}

// turns is how often an update tries to write. The callers of the server do not wait as long.
func (l *writeLock) turns() int {
	if l.shared {
		return mostTurns
	}
	return 1
}

// acquireForBatch waits for the turn of a batch; release ends it. The server ends it at once:
// SQLite's own lock guards its batch.
func (l *writeLock) acquireForBatch() (release func()) {
	if l.shared {
		return l.acquire()
	}
	if time.Since(l.passed) > turnEvery {
		l.acquire()()
		l.passed = time.Now()
	}
	return func() {}
}

// acquire waits for the turn, and keeps shared processes from writing until release.
func (l *writeLock) acquire() (release func()) {
	take, try := l.file.TryRLockContext, l.file.TryRLock
	if l.shared {
		take, try = l.file.TryLockContext, l.file.TryLock
	}
	locked, _ := try()
	if since := l.heldSince(); !locked && !since.Equal(l.vain) {
		ctx, cancel := context.WithTimeout(context.Background(), turnWait)
		defer cancel()
		if locked, _ = take(ctx, turnPoll); !locked {
			l.vain = since // another may have got it since then, and is waited for the next time
		}
	}
	if locked && l.shared {
		now := time.Now()
		_ = os.Chtimes(l.file.Path(), now, now)
	}
	return func() { _ = l.file.Unlock() }
}

// heldSince returns when a shared process got the lock last, which is the time of the file. It is
// the zero time if that is not known.
func (l *writeLock) heldSince() time.Time {
	info, err := os.Stat(l.file.Path())
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
