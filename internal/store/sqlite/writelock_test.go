package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/store/sqlite/engine"
	"github.com/keysake/keysake/internal/vault"
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

func TestACommandTriesAgainWhileAServerKeepsItFromWriting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	made, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	command, err := OpenShared(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := engine.Open("file:" + path)
	if err == nil {
		err = server.Run("BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	updated := make(chan error, 1)
	go func() { updated <- command.Update(t.Context(), func(vault.Tx) error { return nil }) }()
	time.Sleep(busyTimeout + time.Second)
	if err := server.Run("ROLLBACK"); err != nil {
		t.Error(err)
	}
	if err := <-updated; err != nil {
		t.Errorf("the command gives up: %v", err)
	}
	if err := errors.Join(server.Close(), command.Close()); err != nil {
		t.Error(err)
	}
}
