package store

import (
	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/vault"
)

// A turnstile lets the commands beside a server get their turn to write. SQLite's own lock is tried
// again and again after pauses; a server that writes all the time would take it every time. So a
// guest holds the turnstile while it waits and writes, and the server passes through it before each
// batch. The lock is the kernel's: it is let go of by a process that dies.
type turnstile struct {
	file  *flock.Flock
	guest bool
}

func newTurnstile(path string, guest bool) *turnstile {
	return &turnstile{file: flock.New(path, flock.SetPermissions(0o600)), guest: guest}
}

// enter waits for the turn. What it returns ends it.
func (t *turnstile) enter() (leave func(), err error) {
	leave, err = t.hold()
	if err == nil && t != nil && !t.guest {
		leave()
		leave = func() {}
	}
	return leave, err
}

// hold is enter for what no guest may write beside, be it the server's: the turn lasts until it is
// left.
func (t *turnstile) hold() (leave func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	if t.guest {
		err = t.file.Lock()
	} else {
		err = t.file.RLock()
	}
	if err != nil {
		return func() {}, &vault.Error{
			Kind:   vault.Unavailable,
			Detail: "The database cannot be used now: try again later",
			Cause:  err,
		}
	}
	// the kernel lets go of it at the latest when the process ends
	return func() { _ = t.file.Unlock() }, nil
}
