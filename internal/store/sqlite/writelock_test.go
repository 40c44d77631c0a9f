package sqlite

import (
	"path/filepath"
	"testing"
	"time"
)

// hasTurn reports whether a lock was acquired; it is released at once. The lock must not be used
// before that.
func hasTurn(l *writeLock) <-chan struct{} {
	got := make(chan struct{})
	go func() {
		l.acquire()()
		close(got)
	}()
	return got
}

func TestAProcessThatWasSlowOnceGetsItsTurnAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	server, command := newWriteLock(path, false), newWriteLock(path, true)

	release := command.acquire()
	<-hasTurn(server) // in vain, after a second
	<-hasTurn(server) // at once
	release()

	release = command.acquire() // as in the next update of a rotation
	got := hasTurn(server)
	select {
	case <-got:
		t.Error("the server did not let the command write")
	case <-time.After(turnWait / 5):
	}
	release()
	<-got
}

func TestAProcessIsWaitedForThatGotTheTurnWhileAnotherWasWaitedFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	server := newWriteLock(path, false)
	slow, next := newWriteLock(path, true), newWriteLock(path, true)

	release := slow.acquire()
	inVain := hasTurn(server)
	time.Sleep(turnWait / 2)
	release()
	release = next.acquire()
	<-inVain

	got := hasTurn(server)
	select {
	case <-got:
		t.Error("the server did not let the next process write")
	case <-time.After(turnWait / 5):
	}
	release()
	<-got
}
