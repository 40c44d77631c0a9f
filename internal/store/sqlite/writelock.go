package sqlite

import "github.com/gofrs/flock"

// A writeLock makes processes that write one database take turns. SQLite only retries its own lock
// after pauses, so that a server which writes all the time would win every time. So a shared
// process holds this lock while it waits and writes, and the server passes through it before each
// batch. It is a lock of the kernel, which ends with the process at the latest.
type writeLock struct {
	file   *flock.Flock
	shared bool
}

func newWriteLock(path string, shared bool) *writeLock {
	return &writeLock{flock.New(path+".write-lock", flock.SetPermissions(0o600)), shared}
}

// acquireForBatch waits for the lock; release ends it. The server releases it at once: SQLite's own
// lock guards its batch.
func (l *writeLock) acquireForBatch() (release func(), err error) {
	release, err = l.acquire()
	if err == nil && !l.shared {
		release()
		release = func() {}
	}
	return release, err
}

// acquire waits for the lock and keeps every shared process from writing until release.
func (l *writeLock) acquire() (release func(), err error) {
	lock := l.file.RLock
	if l.shared {
		lock = l.file.Lock
	}
	if err := lock(); err != nil {
		return func() {}, unavailable(err)
	}
	return func() { _ = l.file.Unlock() }, nil
}
